import Foundation
import Synchronization

/// The admin plane's long-running tasks: started by name, ended together.
final class BackgroundTasks: Sendable {
  private struct State {
    var tasks: [Task<Void, Never>] = []
    var failure: (name: String, error: any Error)?
    var onFailure: @Sendable (String, any Error) -> Void = { _, _ in }
  }
  private let state = Mutex(State())
  private let ended = DispatchGroup()

  /// The first task that ended by an error of its own.
  var failure: (name: String, error: any Error)? { state.withLock { $0.failure } }

  /// Called with a task's failure, also with one that has happened already.
  func onFailure(_ body: @escaping @Sendable (String, any Error) -> Void) {
    let earlier = state.withLock { state in
      state.onFailure = body
      return state.failure
    }
    if let earlier { body(earlier.name, earlier.error) }
  }

  func start(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
    ended.enter()
    let task = Task {
      do {
        try await body()
      } catch is CancellationError {
      } catch {
        fail(name, error)
      }
      ended.leave()
    }
    state.withLock { $0.tasks.append(task) }
  }

  private func fail(_ name: String, _ error: any Error) {
    let report = state.withLock { state in
      if state.failure == nil { state.failure = (name, error) }
      return state.onFailure
    }
    report(name, error)
  }

  func cancelAndWait() {
    for task in state.withLock({ $0.tasks }) { task.cancel() }
    ended.wait()
  }
}
