//! `[edge]`: the load balancer, its certificate, and the names in DNS.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::format::{Fault, checked_text, wrong};

/// The way in: a load balancer over the public subnets that takes HTTPS alone. Without this section no service is
/// reached from outside.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Edge {
    /// The name of the service that is open to the world, such as `shop.example.com`. Of the others each has its own
    /// name under it (`mailhog.shop.example.com`), or the one that its `host` says.
    pub domain: Option<HostName>,
    /// The Route 53 zone that `domain` lies in. The certificate is made and renewed by itself, and the names are kept
    /// in it.
    pub zone: Option<HostName>,
    /// Whether the zone is made with the stack. The first apply says which servers the domain's registrar has to name,
    /// and makes all that needs no certificate; the next one makes the rest. Otherwise the zone must exist.
    pub create_zone: bool,
    /// The ARN of a certificate in ACM, in the stack's region. Wharf makes one itself if this is not given.
    #[schemars(extend("format" = "certificate"))]
    pub certificate: Option<String>,
    /// Whether port 80 is open too, to send browsers to HTTPS.
    pub redirect_http: bool,
    /// A bucket for the load balancer's access logs; it must exist and let Elastic Load Balancing write.
    pub access_logs: Option<AccessLogs>,
    /// Which versions of TLS and ciphers clients can have: one of AWS's policies, all of them TLS 1.2 or later.
    #[schemars(extend("enum" = TLS_POLICIES))]
    pub tls_policy: String,
    /// How many seconds a connection may be silent.
    #[schemars(range(min = 1, max = 4000))]
    pub idle_seconds: u16,
    /// Whether AWS refuses to delete the load balancer until this is switched off.
    pub deletion_protection: bool,
}

/// Where the load balancer's access logs go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLogs {
    /// The S3 bucket, in the stack's region.
    #[schemars(extend("format" = "bucket"))]
    pub bucket: String,
    /// What their names begin with; the stack's name if not given.
    pub prefix: Option<String>,
}

/// Nothing below TLS 1.2.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>
pub(super) const TLS_POLICIES: [&str; 6] = [
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04",
];

impl Default for Edge {
    fn default() -> Self {
        Self {
            domain: None,
            zone: None,
            create_zone: false,
            certificate: None,
            redirect_http: false,
            access_logs: None,
            tls_policy: TLS_POLICIES[0].to_owned(),
            idle_seconds: 60,
            deletion_protection: true,
        }
    }
}

/// A host's name in DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(String);

checked_text!(HostName, "host-name");

impl FromStr for HostName {
    type Err = Fault;

    /// RFC 1123, section 2.1; <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>
    fn from_str(text: &str) -> Result<Self, Fault> {
        let instead = "write a name such as `shop.example.com`";
        let plain = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if let Some((_, name)) = text.split_once("://") {
            let name = name.split('/').next().unwrap_or(name);
            return wrong("is an address, not a name", format!("write `{name}`"));
        }
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return wrong("has upper-case letters", format!("write `{}`", text.to_ascii_lowercase()));
        }
        if text.contains('*') {
            return wrong("stands for many names", "name each host: the certificate covers exactly those");
        }
        if let Some(name) = text.strip_suffix('.') {
            return wrong("ends in a dot", format!("write `{name}`"));
        }
        let labels: Vec<&str> = text.split('.').collect();
        let numeric = labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if labels.len() < 2 || text.len() > 253 || numeric || !labels.iter().all(|label| plain(label)) {
            return wrong("is not a host name", instead);
        }
        Ok(Self(text.to_owned()))
    }
}

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when the name is `zone` or lies under it.
    #[must_use]
    pub fn lies_in(&self, zone: &Self) -> bool {
        self.0.strip_suffix(&zone.0).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }
}

impl Serialize for HostName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A certificate's ARN.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscertificatemanager.html>
pub(super) fn certificate(text: &str) -> Result<(), Fault> {
    let instead = "write its ARN, such as `arn:aws:acm:us-east-1:123456789012:certificate/12345678-…`";
    match text.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "acm", _, account, id] if account.len() == 12 && id.starts_with("certificate/") => Ok(()),
        ["arn", _, "iam", ..] => wrong("is a certificate of IAM's, which renews none", "import it into ACM"),
        _ => wrong("is not a certificate of ACM's", instead),
    }
}

/// The region that a certificate's ARN names.
pub(super) fn region_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(3)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(super) fn bucket(text: &str) -> Result<(), Fault> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if let Some(rest) = text.strip_prefix("s3://") {
        return wrong("is an address, not a bucket", format!("write `{}`", rest.split('/').next().unwrap_or(rest)));
    }
    let edges = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !(3..=63).contains(&text.len())
        || !text.bytes().all(plain)
        || !text.starts_with(edges)
        || !text.ends_with(edges)
        || text.contains("..")
    {
        return wrong("is not a bucket's name", "write one such as `shop-access-logs`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lies_in_its_own_zone_and_in_those_above() {
        let name = |text: &str| HostName::from_str(text).unwrap();
        assert!(name("shop.example.com").lies_in(&name("example.com")));
        assert!(name("example.com").lies_in(&name("example.com")));
        assert!(!name("shop-example.com").lies_in(&name("example.com")));
        assert!(!name("example.com").lies_in(&name("shop.example.com")));
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        for wrong in
            ["localhost", "10.0.0.1", "-a.example.com", "a..example.com", "a_b.example.com", "Shop.example.com"]
        {
            assert!(HostName::from_str(wrong).is_err(), "{wrong}");
        }
    }
}
