import CLinux
import Loop

/// One loop of the simulator: its listener and its connections. Belongs to one loop.
final class SimulatedServer: PollTarget, TimerTarget {
  let loop: EventLoop
  let providers: [SimulatedProvider]
  let tally: SharedTally
  private let listener: Int32
  private let index: Int
  private var registration: Registration?
  private var restTimer = -1
  private var open: [ObjectIdentifier: SimulatedConnection] = [:]
  private var behaviours: [String: ModelBehaviour] = [:]
  private var answers = 0
  private let bootMilliseconds: Int64

  init(loop: EventLoop, listener: Int32, index: Int, providers: [SimulatedProvider], tally: SharedTally) {
    self.loop = loop
    self.listener = listener
    self.index = index
    self.providers = providers
    self.tally = tally
    bootMilliseconds = loop.wallMilliseconds
    registration = loop.add(listener, interest: .read, target: self)
    restTimer = loop.addTimer(self)
  }

  func ready(_ readiness: Readiness) {
    for _ in 0..<64 {
      let descriptor = pm_accept(listener)
      if descriptor < 0 {
        // EMFILE, ENFILE, ENOBUFS, ENOMEM: a level-triggered listener would spin.
        if [24, 23, 105, 12].contains(-descriptor), let registration {
          loop.change(registration, interest: [])
          loop.arm(restTimer, at: loop.now + 100_000_000)
        }
        return
      }
      tally.connections.add(1, ordering: .relaxed)
      let connection = SimulatedConnection(server: self, descriptor: descriptor)
      if connection.start() { open[ObjectIdentifier(connection)] = connection }
    }
  }

  func timerFired(now: UInt64) {
    guard let registration else { return }
    loop.change(registration, interest: .read)
  }

  func forget(_ connection: SimulatedConnection) { open[ObjectIdentifier(connection)] = nil }

  /// Closes the listener and every connection.
  func stop() {
    guard let registration else { return }
    loop.remove(registration)
    self.registration = nil
    loop.removeTimer(restTimer)
    pm_close(listener)
    for connection in open.values { connection.close(.stopped) }
  }

  /// What a model's name asks for, read once for each name.
  func behaviour(_ modelName: String) -> ModelBehaviour? {
    if let known = behaviours[modelName] { return known }
    guard let read = ModelBehaviour(modelName: modelName) else { return nil }
    if behaviours.count >= 4096 { behaviours.removeAll() }
    behaviours[modelName] = read
    return read
  }

  /// An identifier that no other answer has, of the same length as all others: a cut at a byte is at the same place of
  /// each answer.
  func nextIdentifier() -> String {
    answers += 1
    let digits = String(answers + index * 100_000_000_000)
    return "sim-\(bootMilliseconds)-" + String(repeating: "0", count: max(0, 13 - digits.utf8.count)) + digits
  }
}
