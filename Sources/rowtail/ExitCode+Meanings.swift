// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// What the program's ends mean, besides 0, `.failure` (1) and `.validationFailure` (64, a command line that makes no
/// sense): numbers of sysexits.h, so that systemd and scripts can tell them apart.
extension ExitCode {
    /// The configuration is wrong, and won't get better by trying again (`EX_CONFIG`).
    static let configuration = ExitCode(78)

    /// A database can't be used, or not yet (`EX_UNAVAILABLE`).
    static let database = ExitCode(69)
}
