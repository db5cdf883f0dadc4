/// Counts that add up.
protocol Tally: Sendable, Equatable {
  init()
  static func += (a: inout Self, b: Self)
}

/// What became of attempts.
struct AttemptTally: Tally {
  var requests: UInt32 = 0
  var completed: UInt32 = 0
  var failed: UInt32 = 0
  var interrupted: UInt32 = 0
  var rateLimited: UInt32 = 0

  static func += (a: inout Self, b: Self) {
    a.requests &+= b.requests
    a.completed &+= b.completed
    a.failed &+= b.failed
    a.interrupted &+= b.interrupted
    a.rateLimited &+= b.rateLimited
  }

  /// Attempts that say something about the endpoint: neither rate limited nor somebody else's fault.
  var judged: Int { Int(completed) + Int(failed) + Int(interrupted) }
}

/// What answers were worth.
struct QualityTally: Tally {
  var answers: UInt32 = 0
  var empty: UInt32 = 0
  var toolAnswers: UInt32 = 0
  var badTools: UInt32 = 0
  var jsonAnswers: UInt32 = 0
  var badJSON: UInt32 = 0

  static func += (a: inout Self, b: Self) {
    a.answers &+= b.answers
    a.empty &+= b.empty
    a.toolAnswers &+= b.toolAnswers
    a.badTools &+= b.badTools
    a.jsonAnswers &+= b.jsonAnswers
    a.badJSON &+= b.badJSON
  }
}

/// Counts of a rolling window, in steps. Steps in which nothing happened take no room.
struct SlottedTally<Count: Tally>: Sendable {
  struct Step: Sendable {
    var number: Int
    var count: Count
  }

  /// Slots in a step, and steps in the longest window.
  let stepSlots: Int
  let stepLimit: Int
  private(set) var steps: [Step] = []

  init(stepSlots: Int, stepLimit: Int) {
    self.stepSlots = stepSlots
    self.stepLimit = stepLimit
  }

  mutating func add(_ count: Count, slot: Int) {
    let number = step(slot)
    // Loops hand over in turns: the newest step is nearly always the one.
    let place = steps.lastIndex { $0.number <= number }
    if let place, steps[place].number == number {
      steps[place].count += count
    } else {
      steps.insert(Step(number: number, count: count), at: place.map { $0 + 1 } ?? 0)
    }
  }

  /// Drops what is older than the longest window.
  mutating func age(slot: Int) {
    let first = step(slot) - stepLimit
    let gone = steps.firstIndex { $0.number > first } ?? steps.count
    if gone > 0 { steps.removeFirst(gone) }
  }

  /// The sum of the newest `count` steps.
  func sum(last count: Int, slot: Int) -> Count {
    var sum = Count()
    let first = step(slot) - count
    for step in steps.reversed() {
      guard step.number > first else { break }
      sum += step.count
    }
    return sum
  }

  private func step(_ slot: Int) -> Int {
    // Rounded down for negative slots too.
    let rest = slot % stepSlots
    return (rest < 0 ? slot - rest - stepSlots : slot - rest) / stepSlots
  }
}
