// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The check of the target that `ROWTAIL_FUZZ_TARGET` names, made by the one thread that libFuzzer has.
@MainActor private let check: ([UInt8]) -> String? = {
    let name = ProcessInfo.processInfo.environment["ROWTAIL_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
        fatalError("ROWTAIL_FUZZ_TARGET: '\(name)' is no target; use one of: \(names)")
    }
    return target.makeCheck()
}()

/// What libFuzzer calls with each input; see scripts/fuzz.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    let fault = MainActor.assumeIsolated { check(input) }
    if let fault { fatalError("\(fault)\n\(String(escaping: input))") }
    return 0
}
