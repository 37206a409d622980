// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOHPACK

extension HTTPRequest {
    /// The request that a head means, whose form was checked before (RFC 9113, section 8.3.1).
    init?(_ head: HPACKHeaders) {
        guard let method = head.first(name: ":method").flatMap({ HTTPRequest.Method($0) }) else { return nil }
        self.init(
            method: method,
            scheme: head.first(name: ":scheme"),
            authority: head.first(name: ":authority"),
            path: head.first(name: ":path")
        )
        for (name, value, _) in head where !name.hasPrefix(":") {
            guard let name = HTTPField.Name(name), HTTPField.isValidValue(value) else { return nil }
            headerFields.append(HTTPField(name: name, value: value))
        }
    }
}
