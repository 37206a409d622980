// SPDX-License-Identifier: Apache-2.0

import Testing

/// Everything that starts the built program.
///
/// One test at a time: several measure, and all of them share the processors.
@Suite(.serialized, .timeLimit(.minutes(3))) enum DaemonTests {}
