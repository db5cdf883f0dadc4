import Catalog
import Foundation
import HTTP

/// Reads a routes file, and the secrets and certificates that it names.
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
      let reason = SystemReason.reading(path)?.text ?? "it is not UTF-8"
      return (nil, [Diagnostic(file: path, line: 1, column: 1, severity: .error, message: "cannot be read: \(reason)")])
    }
    return RoutesFile.parse(text, name: path)
  }
}
