import Logging
import Metering

/// One log line for each attempt whose failure an admin can mend. Written as the ledger is folded, off the request path.
enum FailureLog {
  static func note(_ record: UsageRecord, _ logger: Logger) {
    let advice: String? =
      switch record.settled.failure {
      case .providerAuth: "check its api_key and permissions"
      case .providerSpent: "its account there is spent: add credit, or another key"
      case .providerNotFound: "check the endpoint's `model` and the provider's `base_url`"
      case .tls: "check its certificate, or `tls: { ca_file: … }`"
      case .badResponse: "it does not speak the protocol that it is configured for"
      default: nil
      }
    guard let advice else { return }
    logger.warning(
      "\(record.opened.endpoint): \(record.settled.failure.name), status \(record.settled.httpStatus.map { "\($0)" } ?? "none"): \(advice)"
    )
  }
}
