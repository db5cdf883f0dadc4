import FoundationEssentials
import Glibc
import Simulator
import Testing

/// Lets other threads go on until something is so, for at most ten seconds.
func reached(_ condition: () -> Bool) -> Bool {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  let limit = now.tv_sec + 10
  while !condition() {
    sched_yield()
    clock_gettime(CLOCK_MONOTONIC, &now)
    if now.tv_sec > limit { return false }
  }
  return true
}

/// What tests read of an event or an answer.
struct Answer: Decodable {
  struct Piece: Decodable {
    var role: String?
    var content: String?
    var reasoning_content: String?
    var tool_calls: [Call]?
  }
  struct Call: Decodable {
    struct Function: Decodable {
      var name: String?
      var arguments: String?
    }
    var function: Function
  }
  struct Choice: Decodable {
    var index: Int
    var delta: Piece?
    var message: Piece?
    var text: String?
    var finish_reason: String?
  }
  struct Usage: Decodable, Equatable {
    var prompt_tokens: Int
    var completion_tokens: Int
    var total_tokens: Int

    init(prompt: Int, completion: Int) {
      prompt_tokens = prompt
      completion_tokens = completion
      total_tokens = prompt + completion
    }
  }
  struct Refusal: Decodable {
    var message: String
  }
  var id: String?
  var object: String?
  var model: String?
  var choices: [Choice]?
  var usage: Usage?
  var error: Refusal?

  init(_ text: String) throws { self = try JSONDecoder().decode(Answer.self, from: Data(text.utf8)) }
}

extension RawClient.Reply {
  /// The events but for `[DONE]`, decoded.
  func chunks() throws -> [Answer] { try events.filter { $0 != "[DONE]" }.map { try Answer($0) } }

  func content(choice: Int = 0) throws -> String {
    try chunks().flatMap { $0.choices ?? [] }.filter { $0.index == choice }
      .map { $0.delta?.content ?? $0.text ?? "" }.joined()
  }
}

/// A simulator for the length of one test.
func withSimulator(
  providers: [SimulatedProvider] = [], log: String? = nil, threads: Int = 1,
  _ body: (Simulator) throws -> Void
) throws {
  let simulator = try Simulator.start(providers: providers, log: log, threads: threads)
  defer { simulator.stop() }
  try body(simulator)
}
