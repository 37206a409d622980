// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let fuzzed: [Target.Dependency] = [
    "EventStream",
    "RowtailConfig",
    "RowtailCore",
    "SQLiteSource",
    "StreamServer",
    "TestSupport",
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOEmbedded", package: "swift-nio"),
]

let package = Package(
    name: "rowtail",
    products: [
        .executable(name: "rowtail", targets: ["rowtail"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "RowtailCore",
            dependencies: [
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        .target(
            name: "EventStream",
            dependencies: [
                "RowtailCore",
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        .target(
            name: "SQLiteSource",
            dependencies: [
                "RowtailCore",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .target(
            name: "StreamServer",
            dependencies: [
                "EventStream",
                "RowtailCore",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            // Into the program, which is one file.
            resources: [
                .embedInCode("StatusPage/page.html"),
                .embedInCode("StatusPage/page.css"),
                .embedInCode("StatusPage/format.js"),
                .embedInCode("StatusPage/stream.js"),
                .embedInCode("StatusPage/overview.js"),
                .embedInCode("StatusPage/feed.js"),
                .embedInCode("StatusPage/page.js"),
            ]
        ),
        .target(
            name: "RowtailConfig",
            dependencies: [
                "RowtailCore",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        .target(
            name: "ServiceManager",
            dependencies: [
                .product(name: "Logging", package: "swift-log")
            ]
        ),
        .target(
            name: "StreamProbe",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ]
        ),
        .executableTarget(
            name: "rowtail",
            dependencies: [
                "EventStream",
                "RowtailConfig",
                "RowtailCore",
                "SQLiteSource",
                "ServiceManager",
                "StreamProbe",
                "StreamServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "EventStream",
                "RowtailCore",
                "SQLiteSource",
                "StreamServer",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            path: "Tests/TestSupport"
        ),
        .testTarget(
            name: "RowtailCoreTests",
            dependencies: [
                "RowtailCore",
                "TestSupport",
            ]
        ),
        .testTarget(
            name: "EventStreamTests",
            dependencies: [
                "EventStream",
                "RowtailCore",
            ]
        ),
        .testTarget(
            name: "SQLiteSourceTests",
            dependencies: [
                "EventStream",
                "RowtailCore",
                "SQLiteSource",
                "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            resources: [.copy("Golden")]
        ),
        .testTarget(
            name: "StreamServerTests",
            dependencies: [
                "EventStream",
                "RowtailCore",
                "StreamServer",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "RowtailConfigTests",
            dependencies: [
                "RowtailConfig",
                "RowtailCore",
            ]
        ),
        .testTarget(
            name: "ServiceManagerTests",
            dependencies: [
                "ServiceManager",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "StreamProbeTests",
            dependencies: [
                "RowtailCore",
                "StreamProbe",
                "StreamServer",
                "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "FuzzTests",
            dependencies: fuzzed,
            exclude: ["Corpus", "LibFuzzer"]
        ),
        .testTarget(
            name: "DaemonTests",
            dependencies: [
                // Not linked, but built before, as the tests start it.
                "rowtail",
                "RowtailCore",
                "ServiceManager",
                "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: ["Programs"]
        ),
    ],
    swiftLanguageModes: [.v6]
)

// Only for scripts/fuzz: the parsers that tests feed, as a program that libFuzzer drives, which brings the main function.
if Context.environment["ROWTAIL_LIBFUZZER"] != nil {
    package.targets.removeAll { $0.type == .test }
    package.targets.append(
        .executableTarget(
            name: "fuzzer",
            dependencies: fuzzed,
            path: "Tests/FuzzTests",
            exclude: ["Corpus"],
            sources: ["LibFuzzer", "Targets"]
        )
    )
}

for target in package.targets {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .enableUpcomingFeature("InferIsolatedConformances"),
            .enableUpcomingFeature("ImmutableWeakCaptures"),
            // Warnings fail the build; deprecations stay visible without blocking an upgrade.
            .treatAllWarnings(as: .error),
            .treatWarning("DeprecatedDeclaration", as: .warning),
            // A misspelt feature name above would otherwise be ignored without a word.
            .treatWarning("StrictLanguageFeatures", as: .error),
        ]
}
