//! Addresses of pages of the AWS console.

/// A page of the console in a region: `cloudwatch/home` and what follows the `#`.
pub(super) fn page(region: Option<&str>, service: &str, fragment: &str) -> Option<String> {
    // Some forms tell a region's name instead of its code.
    let region =
        region.filter(|region| region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))?;
    let host = match region {
        _ if region.starts_with("cn-") => "console.amazonaws.cn".to_owned(),
        _ if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com".to_owned(),
        _ => format!("{region}.console.aws.amazon.com"),
    };
    let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
    Some(format!("https://{host}/{service}?region={region}{fragment}"))
}

/// A name as a part of an address.
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_console_of_its_partition() {
        let page = |region| page(Some(region), "rds/home", "a");
        assert_eq!(page("us-east-1").unwrap(), "https://us-east-1.console.aws.amazon.com/rds/home?region=us-east-1#a");
        assert!(page("cn-north-1").unwrap().starts_with("https://console.amazonaws.cn/"));
        assert!(page("us-gov-west-1").unwrap().starts_with("https://console.amazonaws-us-gov.com/"));
        assert_eq!(page("US East (N. Virginia)"), None);
        assert_eq!(encoded("a b/é"), "a%20b%2F%C3%A9");
    }
}
