// SPDX-License-Identifier: Apache-2.0
//! From an agent's raw output to a request.
//!
//! `femtoclaw_protocol::Validator` decides first. It looks at a `serde_json::Value`, in which
//! duplicate keys have been dropped, key order is gone and large numbers are rounded, and it lets
//! unknown nested fields pass. So its answer is used and its output is not: a second, stricter look
//! at the same bytes refuses duplicates and unknown fields, and cuts the arguments out unparsed.

use std::borrow::Cow;

use femtoclaw_ledger::integrity::text::is_deceptive;
use femtoclaw_protocol::Validator;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A capability and the arguments for it, byte for byte as the agent wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The capability's name.
    pub(crate) capability: String,
    /// A JSON object.
    pub(crate) arguments: Vec<u8>,
}

/// The built-in capability that every message is.
pub(crate) const MESSAGE: &str = "message";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output<'a> {
    #[serde(borrow)]
    tool_call: Option<ToolCall<'a>>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolCall<'a> {
    #[serde(borrow)]
    tool: Cow<'a, str>,
    #[serde(borrow)]
    args: &'a RawValue,
}

/// Bytes of a capability's name.
const NAME_BYTES_MAX: usize = 256;

/// Reads one protocol output.
///
/// # Errors
/// What is wrong with it, for the record.
pub(crate) fn read(output: &[u8]) -> Result<Request, String> {
    let text = std::str::from_utf8(output).map_err(|error| format!("invalid UTF-8: {error}"))?;
    Validator::new()
        .validate_str(text)
        .map_err(|error| shortened(&error.to_string()))?;
    let parsed: Output<'_> = serde_json::from_str(text)
        .map_err(|error| shortened(&format!("protocol violation: {error}")))?;
    let (capability, arguments) = match (parsed.tool_call, parsed.message) {
        (Some(call), None) => (call.tool.into_owned(), call.args),
        (None, Some(message)) => (MESSAGE.to_owned(), message),
        _ => return Err("protocol violation: exactly one of tool_call and message".to_owned()),
    };
    if capability.len() > NAME_BYTES_MAX || capability.chars().any(is_deceptive) {
        return Err("protocol violation: tool_call.tool is not a name".to_owned());
    }
    Ok(Request {
        capability,
        arguments: arguments.get().as_bytes().to_vec(),
    })
}

/// Problems quote what an agent wrote; the whole of it is in the recorded input anyway.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_cut_out_byte_for_byte() {
        let line = br#"{"tool_call": {"args" : { "b":1,  "a":12345678901234567890123, "b":2 }, "tool":"x\u002ey"}}"#;
        let request = read(line).unwrap();
        assert_eq!(request.capability, "x.y");
        assert_eq!(
            request.arguments,
            br#"{ "b":1,  "a":12345678901234567890123, "b":2 }"#
        );
        let request = read(br#"{"message":{"content":"hi"}}"#).unwrap();
        assert_eq!(
            (request.capability.as_str(), request.arguments.as_slice()),
            (MESSAGE, &br#"{"content":"hi"}"#[..])
        );
    }

    #[test]
    fn what_the_validator_or_the_second_look_refuses() {
        let long = format!(
            r#"{{"tool_call":{{"tool":"{}","args":{{}}}}}}"#,
            "x".repeat(100_000)
        );
        let field = format!(r#"{{"{}":1}}"#, "x".repeat(100_000));
        let bad: [&[u8]; 15] = [
            long.as_bytes(),
            field.as_bytes(),
            br#"{"tool_call":{"tool":"a\u0007","args":{}}}"#,
            b"",
            b"not json",
            b"[]",
            b"{}",
            b"\xff\xfe",
            br#"{"message":{"content":""}}"#,
            br#"{"message":{"content":"x"},"tool_call":{"tool":"x","args":{}}}"#,
            br#"{"tool_call":{"tool":"","args":{}}}"#,
            br#"{"tool_call":{"tool":"x","args":[]}}"#,
            br#"{"tool_call":{"tool":"x","args":{}},"extra":1}"#,
            br#"{"tool_call":{"tool":"x","tool":"y","args":{}}}"#,
            br#"{"tool_call":{"tool":"x","args":{},"sudo":true}}"#,
        ];
        for line in bad {
            let problem = read(line).unwrap_err();
            assert!(
                !problem.is_empty() && problem.chars().count() < 400,
                "{problem}"
            );
        }
    }
}
