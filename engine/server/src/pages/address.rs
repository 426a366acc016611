//! Addresses of pages: what stands in them is escaped, and read again as it was.

use crate::api::form;

/// As a value within an address.
pub fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

/// An address with these parameters.
pub fn address<'v>(path: &str, parameters: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
    let mut address = path.to_owned();
    for (name, value) in parameters {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(&format!("{name}={}", escaped(value)));
    }
    address
}

/// The same address without what was left empty, as a form sends it; `None` where nothing was.
pub fn without_empty(path: &str, query: &str) -> Option<String> {
    let given = form(query).ok().filter(|given| given.iter().any(|(_, value)| value.is_empty()))?;
    let given = given.iter().filter(|(_, value)| !value.is_empty());
    Some(address(path, given.map(|(name, value)| (name.as_str(), value.as_str()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_empty_does_not_stand_in_an_address() {
        for (query, expect) in [
            ("procedure=&open=true", Some("/runs?open=true")),
            ("procedure=&open=", Some("/runs")),
            ("a=x%26y%20&b=", Some("/runs?a=x%26y%20")),
            ("a=1", None),
            ("", None),
            ("a=%&b=", None),
        ] {
            assert_eq!(without_empty("/runs", query).as_deref(), expect, "{query}");
        }
    }
}
