import Metering

/// Prometheus' text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
public enum PrometheusText {
  /// The whole page: the records' metrics, then the samples, each metric once with its help and type.
  public static func render(_ metrics: MetricsSnapshot, samples: [Sample] = [], version: String) -> String {
    var page = PrometheusPage()
    let all = metrics.series.sorted { $0.key < $1.key }
    page.family("pointsman_build_info", "gauge", "The version that runs.")
    page.line("pointsman_build_info", [("version", version)], 1)
    counters(all, into: &page)
    histograms(all, into: &page)
    add(samples, to: &page)
    return page.text
  }

  private typealias All = [(key: MetricsSnapshot.Key, value: MetricsSnapshot.Series)]
  private typealias Labels = [(name: String, value: String)]

  private static func counters(_ all: All, into page: inout PrometheusPage) {
    func byOutcome(_ name: String, _ help: String, _ counts: KeyPath<MetricsSnapshot.Series, [UInt64]>) {
      page.family(name, "counter", help)
      for (key, series) in all {
        for outcome in Outcome.allCases {
          let count = series[keyPath: counts][Int(outcome.rawValue)]
          if count > 0 { page.line(name, labels(key) + [("outcome", outcome.name)], Double(count)) }
        }
      }
    }
    byOutcome("pointsman_requests_total", "Completions, by what the client saw at their end.", \.completions)
    byOutcome("pointsman_attempts_total", "Attempts at an endpoint, by how they ended.", \.attempts)

    let kinds: [(String, KeyPath<MetricsSnapshot.Tokens, UInt64>)] = [
      ("input", \.input), ("cached_input", \.cachedInput), ("cache_write", \.cacheWrite), ("output", \.output),
      ("reasoning", \.reasoning),
    ]
    page.family(
      "pointsman_tokens_total", "counter",
      "Tokens whose count is known. cached_input and cache_write are parts of input, reasoning of output.")
    for (key, series) in all {
      for (kind, count) in kinds {
        page.line("pointsman_tokens_total", labels(key) + [("type", kind)], Double(series.tokens[keyPath: count]))
      }
    }
    page.family("pointsman_cost_usd_total", "counter", "Cost in USD of the attempts whose cost is known.")
    for (key, series) in all {
      page.line("pointsman_cost_usd_total", labels(key), Double(series.costNanoUSD) / 1_000_000_000)
    }
  }

  private static func histograms(_ all: All, into page: inout PrometheusPage) {
    page.family("gen_ai_client_token_usage", "histogram", "Tokens of an attempt.")
    for (key, series) in all {
      page.histogram(
        "gen_ai_client_token_usage", conventional(key) + [("gen_ai_token_type", "input")], series.inputTokens)
      page.histogram(
        "gen_ai_client_token_usage", conventional(key) + [("gen_ai_token_type", "output")], series.outputTokens)
    }
    page.family("gen_ai_server_request_duration_seconds", "histogram", "From an attempt's start to its end.")
    for (key, series) in all {
      page.histogram("gen_ai_server_request_duration_seconds", conventional(key), series.duration)
    }
    page.family(
      "gen_ai_server_time_to_first_token_seconds", "histogram", "From an attempt's start to its first content.")
    for (key, series) in all {
      page.histogram("gen_ai_server_time_to_first_token_seconds", conventional(key), series.timeToFirstToken)
    }
  }

  /// Samples of one name stay together, as the format demands, in the order in which the names come.
  private static func add(_ samples: [Sample], to page: inout PrometheusPage) {
    var names: [String] = []
    var byName: [String: [Sample]] = [:]
    for sample in samples {
      if byName[sample.name] == nil { names.append(sample.name) }
      byName[sample.name, default: []].append(sample)
    }
    for name in names {
      for (index, sample) in (byName[name] ?? []).enumerated() {
        if index == 0 { page.family(name, sample.kind.rawValue, sample.help) }
        page.line(name, sample.labels, sample.value)
      }
    }
  }

  private static func labels(_ key: MetricsSnapshot.Key) -> Labels {
    [("route", key.route), ("provider", key.provider), ("model", key.model)]
  }

  /// The attribute names of the OpenTelemetry conventions, as their Prometheus exporters spell them.
  private static func conventional(_ key: MetricsSnapshot.Key) -> Labels {
    [("route", key.route), ("gen_ai_provider_name", key.provider), ("gen_ai_request_model", key.model)]
  }
}
