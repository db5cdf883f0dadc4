import CLinux
import Loop
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Simulated OpenAI-compatible providers on one listener. They answer with plainly labelled text, and break on command:
/// what happens is chosen by the model's name (`modelHelp`).
///
/// Paths, `POST` unless said otherwise: `/v1/chat/completions`, `/v1/completions` and `GET /v1/models` for a provider
/// without any pace, named `default`; the same under `/NAME` for each given provider.
///
/// The log has one JSON object a line: `event` (`received`, `ended`), `attempt` (the request's `x-pointsman-attempt`, or
/// null), `provider`, `model`, `authorization_seen`; and when it ended: `status`, `tokens_sent` (content tokens of all
/// choices whose events went out whole), `finish_sent` (the finish event of every choice went out whole), `usage` (as
/// sent, or null), `closed` (a `Closing`), `bytes_sent` (response head
/// and framing included), `time_ms`. The `ended` line is written before the answer's last bytes are.
public final class Simulator: Sendable {
  /// What happened since the start.
  public struct Counters: Sendable, Equatable {
    public var received: Int
    public var ended: Int
    public var tokensSent: Int
    public var connections: Int

    public init(received: Int, ended: Int, tokensSent: Int, connections: Int) {
      self.received = received
      self.ended = ended
      self.tokensSent = tokensSent
      self.connections = connections
    }
  }

  /// The port that it listens on.
  public let port: Int
  private let tally: SharedTally
  private let mailboxes: [Mailbox<Void>]
  private let threads: Mutex<[LoopThread]>

  private init(port: Int, tally: SharedTally, mailboxes: [Mailbox<Void>], threads: [LoopThread]) {
    self.port = port
    self.tally = tally
    self.mailboxes = mailboxes
    self.threads = Mutex(threads)
  }

  /// Starts to listen, on threads of its own. It sets SIGPIPE to be ignored, for the whole process.
  ///
  /// - Parameters:
  ///   - host: a literal address.
  ///   - port: 0 for any that is free.
  ///   - log: a file to append to, made if it is missing.
  ///   - threads: event loops, 1 to 64.
  /// - Throws: `SimulatorError`.
  public static func start(
    host: String = "127.0.0.1", port: UInt16 = 0, providers: [SimulatedProvider] = [], log: String? = nil,
    threads count: Int = 1
  ) throws(SimulatorError) -> Simulator {
    for provider in providers {
      if let mistake = provider.mistake { throw .provider(mistake) }
    }
    if let twice = Dictionary(grouping: providers, by: \.name).first(where: { $0.value.count > 1 }) {
      throw .provider("two providers have the name \"\(twice.key)\"")
    }
    signal(SIGPIPE, SIG_IGN)
    let tally = try SharedTally(log: log)
    var listeners: [Int32] = []
    var mailboxes: [Mailbox<Void>] = []
    var threads: [LoopThread] = []
    do {
      let taken = pm_check_free(host, port)
      if taken < 0 { throw SystemError(call: "listen on \(host):\(port)", code: -taken) }
      var port = port
      for _ in 0..<min(max(count, 1), 64) {
        let listener = pm_listen(host, port, 4096)
        if listener < 0 { throw SystemError(call: "listen on \(host):\(port)", code: -listener) }
        listeners.append(listener)
        port = UInt16(clamping: pm_local_port(listener))
        mailboxes.append(try Mailbox<Void>())
      }
      for (index, mailbox) in mailboxes.enumerated() {
        let listener = listeners[index]
        let thread = try LoopThread(name: "simulator-\(index)") {
          guard let poller = try? EpollPoller() else { return pm_close(listener) }
          let loop = EventLoop(poller: poller)
          let server = SimulatedServer(
            loop: loop, listener: listener, index: index, providers: [.unpaced] + providers, tally: tally)
          mailbox.attach(to: loop) {
            server.stop()
            loop.stop()
          }
          loop.run()
        }
        threads.append(thread)
      }
      return Simulator(port: Int(port), tally: tally, mailboxes: mailboxes, threads: threads)
    } catch {
      for mailbox in mailboxes { mailbox.post(()) }
      for thread in threads { thread.join() }
      for listener in listeners.dropFirst(threads.count) { pm_close(listener) }
      throw .system("\(error)")
    }
  }

  /// Ends every connection and thread, and returns when they are gone. Attempts under way are logged as `stopped`.
  public func stop() {
    let running = threads.withLock { threads in
      let taken = threads
      threads = []
      return taken
    }
    guard !running.isEmpty else { return }
    for mailbox in mailboxes { mailbox.post(()) }
    for thread in running { thread.join() }
  }

  public var counters: Counters {
    Counters(
      received: tally.received.load(ordering: .relaxed), ended: tally.ended.load(ordering: .relaxed),
      tokensSent: tally.tokens.load(ordering: .relaxed), connections: tally.connections.load(ordering: .relaxed))
  }
}
