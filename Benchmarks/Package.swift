// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

// The programs that scripts/bench runs beside rowtail. A package of its own, so that building rowtail doesn't build them.

import PackageDescription

let package = Package(
    name: "Benchmarks",
    targets: [
        .target(name: "Shared"),
        .executableTarget(name: "floor", dependencies: ["Shared"]),
        .executableTarget(name: "load", dependencies: ["Shared"]),
        .executableTarget(name: "quiet", dependencies: ["Shared"], linkerSettings: [.linkedLibrary("sqlite3")]),
        .executableTarget(name: "writer", dependencies: ["Shared"], linkerSettings: [.linkedLibrary("sqlite3")]),
    ],
    cLanguageStandard: .gnu11
)
