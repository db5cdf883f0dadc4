// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  // SE-0335: `any P` is written where a value is boxed, so that its cost is seen.
  .enableUpcomingFeature("ExistentialAny"),
  // The request path crosses modules for every event; its small functions must be inlined there. The run-time half of
  // SE-0176's exclusivity checks cost a tenth of the loops' instructions; debug builds keep them.
  .unsafeFlags(
    ["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// A module, and its tests where there are any.
func module(_ name: String, _ dependencies: [Target.Dependency], tested: Bool = true) -> [Target] {
  var targets: [Target] = [.target(name: name, dependencies: dependencies, swiftSettings: settings)]
  if tested {
    targets.append(
      .testTarget(
        name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies, exclude: fixtures(name),
        swiftSettings: settings))
  }
  return targets
}

/// Folders of test data, which are read by path.
func fixtures(_ name: String) -> [String] { ["Catalog", "Wire"].contains(name) ? ["Fixtures"] : [] }

/// What counts and times the parts in process.
let measuring: [Target] = [
  .target(
    name: "CAllocations", dependencies: ["CCurl"], path: "Tests/CAllocations",
    linkerSettings: [.linkedLibrary("curl")]),
  .testTarget(
    name: "AllocationTests",
    dependencies: [
      "CAllocations", "Catalog", "Gateway", "Loop", "Metering", "Relay", "Routing", "Simulator", "Telemetry",
      "Upstream",
    ], swiftSettings: settings),
  .executableTarget(
    name: "inprocess-bench", dependencies: ["Catalog", "Routing", "Wire"], path: "Tests/Bench/InProcess",
    swiftSettings: settings),
]

let package = Package(
  name: "pointsman",
  products: [.executable(name: "pointsman", targets: ["pointsman"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
  ],
  targets: [
    .systemLibrary(name: "CCurl"),
    .systemLibrary(name: "COpenSSL"),
    .target(name: "CLinux"),
    .target(name: "CScan"),
  ]
    + module("Loop", ["CLinux"])
    + module("HTTP", ["Loop", "CLinux", "COpenSSL"])
    + module("Wire", ["CScan"])
    + module("Catalog", ["Wire", .product(name: "Yams", package: "Yams")])
    + module("Routing", ["Wire", "Catalog"])
    + module("Upstream", ["Loop", "CLinux", "CCurl"])
    + module("Metering", ["Wire", "Catalog", .product(name: "GRDB", package: "GRDB.swift")])
    + module("Telemetry", ["Metering", "Wire"])
    + module("Relay", ["Loop", "HTTP", "Wire", "Catalog", "Routing", "Upstream", "Metering"])
    + module(
      "Gateway",
      [
        "CLinux", "Loop", "HTTP", "Wire", "Catalog", "Routing", "Upstream", "Relay", "Metering", "Telemetry",
        "COpenSSL",
      ],
      tested: false)
    + module("Simulator", ["Loop", "HTTP", "CLinux", "Wire", "Catalog", "Routing"])
    + module(
      "Admin",
      [
        "Catalog", "Metering", "Telemetry", "CLinux", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ], tested: false)
    + [
      .executableTarget(
        name: "pointsman",
        dependencies: [
          "Loop", "HTTP", "Wire", "Catalog", "Routing", "Upstream", "Relay", "Metering", "Telemetry", "Gateway",
          "Admin",
          "Simulator", "CLinux", "CCurl",
          .product(name: "ArgumentParser", package: "swift-argument-parser"),
          .product(name: "Logging", package: "swift-log"),
        ], swiftSettings: settings
      )
    ]
    + measuring
)
