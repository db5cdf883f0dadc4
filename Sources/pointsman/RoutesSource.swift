import Catalog
import Foundation
import HTTP
import Upstream

/// Reads a routes file and everything that it names: environment, secret files, and which local engines answer.
struct RoutesSource {
  let path: String

  struct Failure: Error {
    let diagnostics: [Diagnostic]
  }

  static func readSecret(_ path: String) throws -> String {
    try String(contentsOfFile: path, encoding: .utf8)
  }

  /// Whether a certificate and its key can be used.
  static func tryTLS(_ files: Listeners.TLSFiles) -> Listeners.TLSFileMistake? {
    do throws(TLSFileError) {
      _ = try TLSContext(certificate: files.certificate, key: files.key)
      return nil
    } catch {
      return Listeners.TLSFileMistake(isKey: error.file == .key, reason: error.reason)
    }
  }

  func parse() throws -> (file: RoutesFile?, diagnostics: [Diagnostic]) {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      let reason = (error as NSError).localizedDescription
      return (nil, [Diagnostic(file: path, line: 1, column: 1, severity: .error, message: "cannot be read: \(reason)")])
    }
    return RoutesFile.parse(text, name: path)
  }

  /// Asks the providers that want to be asked which models they have.
  ///
  /// - Returns: the models by provider, and the optional providers that did not answer.
  static func discover(_ file: RoutesFile) -> (models: [String: [DiscoveredModel]], unreachable: Set<String>) {
    var models: [String: [DiscoveredModel]] = [:]
    var unreachable: Set<String> = []
    let targets = file.discoveryTargets(
      environment: ProcessInfo.processInfo.environment, readSecret: { try readSecret($0) })
    for target in targets where target.discovers {
      var fields = target.provider.headers.map { "\($0.name): \($0.value)" }
      if let key = target.provider.credentials.first { fields.append("Authorization: Bearer \(key.reveal())") }
      // A local engine answers at once or is not there.
      let limit = target.provider.isLiteralAddress ? 1000 : 5000
      let answer = UpstreamProbe.send(target.provider.modelsURL, fields: fields, milliseconds: limit)
      if let answer, answer.status == 200, let ids = modelIDs(answer.body) {
        models[target.provider.name] = ids.map { DiscoveredModel(id: $0) }
      } else if target.isOptional {
        unreachable.insert(target.provider.name)
      }
    }
    return (models, unreachable)
  }

  /// The ids in OpenAI's model list, `{"data":[{"id":…}]}`.
  private static func modelIDs(_ body: [UInt8]) -> [String]? {
    struct List: Decodable {
      struct Model: Decodable { var id: String }
      var data: [Model]
    }
    return (try? JSONDecoder().decode(List.self, from: Data(body)))?.data.map(\.id)
  }
}
