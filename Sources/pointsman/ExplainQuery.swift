import Admin
import CLinux
import Catalog
import Foundation
import Relay
import Routing
import Wire

/// Asks the decision about a request, without making a call. Behind both the `explain` command and the admin API.
struct ExplainQuery {
  /// An inference request as a client would send it.
  var body: [UInt8]
  var source = RequestSource()

  /// Why there is no explanation, in words that say what to do.
  struct Refusal: Error {
    var message: String
    /// The request is right, but names something that there is not.
    var isUnknownName = false
  }

  /// - Parameters:
  ///   - now: monotonic nanoseconds.
  func explanation(_ snapshot: RelaySnapshot, now: UInt64, unixSeconds: Int64) throws(Refusal) -> Explanation {
    let scan = try scan()
    let asked: AskedQuestion
    do throws(UnknownName) {
      asked = try snapshot.ask(scan, from: source, now: now, unixSeconds: unixSeconds)
    } catch {
      throw Refusal(message: Self.message(for: error), isUnknownName: true)
    }
    var system = SystemRandomNumberGenerator()
    var random = FastRandom(seed: system.next())
    return Selection(snapshot.candidates, snapshot.knowledge, snapshot.health, now: now)
      .explain(asked.question, using: &random)
  }

  private func scan() throws(Refusal) -> RequestScan {
    // A completions request has a prompt where a chat has messages.
    var firstError: RequestError?
    for kind in [RequestKind.chatCompletions, .completions] {
      do throws(RequestError) {
        var scanner = RequestScanner(kind: kind)
        return try scanner.finish(body.span)
      } catch {
        firstError = firstError ?? error
      }
    }
    throw Refusal(message: firstError?.message ?? "the request cannot be read")
  }

  private static func message(for name: UnknownName) -> String {
    switch name {
    case .model(let name): "there is no route or model \(name)"
    case .variant(let suffix): "the suffix :\(suffix) is none of :nitro, :floor, :free, :exacto"
    case .preset(let name): "there is no preset \(name)"
    case .presetWithoutModel(let name): "the preset \(name) names no model; write MODEL@preset/\(name)"
    case .fallback(let name): "\(name), in `models`, is no route or model"
    }
  }

  /// Answers the admin API by what the running router knows now.
  static func answer(_ request: AdminServer.ExplainRequest, _ snapshot: RelaySnapshot) -> AdminServer.Answer {
    var query = ExplainQuery(body: request.body)
    query.source.key = request.key
    do throws(Refusal) {
      for field in request.fields {
        do throws(RequestError) {
          try query.source.take(field.name, field.value, wanted: snapshot.table.ruleHeaders)
        } catch {
          throw Refusal(message: error.message)
        }
      }
      let explanation = try query.explanation(
        snapshot, now: pm_monotonic_ns(), unixSeconds: Int64(Date().timeIntervalSince1970))
      let table = snapshot.table
      return request.asText
        ? AdminServer.Answer(status: 200, body: Array(explanation.text(table).utf8), isText: true)
        : AdminServer.Answer(status: 200, body: explanation.json(table))
    } catch {
      let body = Array(#"{"error":{"message":"#.utf8) + JSONText.quoted(error.message) + Array("}}\n".utf8)
      return AdminServer.Answer(status: error.isUnknownName ? 404 : 400, body: body)
    }
  }
}
