// SPDX-License-Identifier: Apache-2.0

/// What a probe's observations come to.
package struct ProbeReport: Sendable {
    /// What was asked and seen.
    package let observations: ProbeObservations

    /// A line each, in the order in which a request goes.
    package let findings: [ProbeFinding]

    /// Judges observations; nothing is asked or waited for.
    package init(_ observations: ProbeObservations) {
        self.observations = observations
        var findings: [ProbeFinding] = []
        let judge = StreamJudge(observations)
        if let failure = observations.failure, observations.stream.head == nil {
            findings.append(ProbeFinding(.fail, "connection", failure.message, [failure.remedy]))
        } else if observations.stream.head == nil {
            findings.append(judge.noAnswer)
            if observations.finite?.head != nil { findings += judge.proxy }
        } else {
            findings += judge.head
            if observations.stream.head?.isStream == true {
                findings += judge.frames
                if let resume = observations.resume { findings += ResumeJudge(resume, observations.proxies).findings }
            }
            if let failure = observations.failure {
                findings.append(ProbeFinding(.fail, "connection", "then failed: \(failure.message)", [failure.remedy]))
            }
        }
        self.findings = findings
    }

    /// The worst that was found.
    package var verdict: ProbeFinding.Level {
        let levels = Set(findings.map(\.level))
        return levels.contains(.fail) ? .fail : levels.contains(.warning) ? .warning : .ok
    }
}
