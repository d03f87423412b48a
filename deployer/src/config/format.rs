//! The texts that a stack file holds, each with its own rules: what is wrong with one, and what to write instead.
//!
//! The schema names the rule of a text under `format`; [`fault`] is the list of those names.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::template::Template;

/// What is wrong with a text, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}")]
pub struct Fault {
    /// What is wrong, as a fragment that stands under the text.
    pub wrong: String,
    /// What to write instead.
    pub instead: String,
}

/// A fault, for the rules below.
pub(super) fn wrong<T>(wrong: impl Into<String>, instead: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { wrong: wrong.into(), instead: instead.into() })
}

/// What the rule called `format` says against `text`.
pub(super) fn fault(format: &str, text: &str) -> Option<Fault> {
    let verdict = match format {
        StackName::FORMAT => StackName::from_str(text).map(drop),
        Region::FORMAT => Region::from_str(text).map(drop),
        AccountId::FORMAT => AccountId::from_str(text).map(drop),
        Cidr::FORMAT => Cidr::from_str(text).map(drop),
        SourceRange::FORMAT => SourceRange::from_str(text).map(drop),
        Template::FORMAT => Template::from_str(text).map(drop),
        "postgres-version" => super::database_text::version(text),
        "instance-class" => super::database_text::class(text),
        "daily-window" => super::database_text::daily_window(text).map(drop),
        "weekly-window" => super::database_text::weekly_window(text).map(drop),
        "database-name" => super::database_text::name(text),
        "database-user" => super::database_text::username(text),
        super::edge::HostName::FORMAT => super::edge::HostName::from_str(text).map(drop),
        "certificate" => super::edge::certificate(text),
        "bucket" => super::edge::bucket(text),
        "ec2-instance-type" => super::instance_type::check(text),
        "email" => super::alerts::email(text),
        "time-of-day" => super::alerts::time_of_day(text),
        "parameter-name" => super::alerts::parameter_name(text),
        "slack-channel" => super::alerts::slack_channel(text),
        "slack-mention" => super::alerts::slack_mention(text),
        "day" => super::backups::day(text),
        "health-path" => super::tasks::health_path(text),
        "http-codes" => super::tasks::http_codes(text),
        "iam-action" => super::tasks::action(text),
        "iam-resource" => super::tasks::resource(text),
        "schedule" => super::schedule::check(text),
        "time-zone" => super::services::time_zone(text),
        "repository" => super::services::repository(text),
        "tag-pattern" => super::services::tag_pattern(text),
        _ => Ok(()),
    };
    verdict.err()
}

/// Makes a checked text readable by serde and known to the schema.
macro_rules! checked_text {
    ($type:ident, $format:literal) => {
        impl $type {
            pub(super) const FORMAT: &'static str = $format;
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}
pub(super) use checked_text;

/// A stack's name: part of the name of everything it has, so it keeps to the narrowest of AWS's rules (load
/// balancers: 32 characters, letters, digits and dashes, not beginning with `internal-`).
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StackName(String);

checked_text!(StackName, "stack-name");

impl FromStr for StackName {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let instead = "use at most 20 lower-case letters, digits and single dashes, a letter first, such as `shop`";
        label(text, 20, instead)?;
        if text == "internal" || text.starts_with("internal-") {
            return wrong("begins with `internal`, which AWS keeps for load balancers of its own", instead);
        }
        Ok(Self(text.to_owned()))
    }
}

impl StackName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that is also part of AWS names and of a host name.
pub(super) fn label(text: &str, most: usize, instead: &str) -> Result<(), Fault> {
    let upper_case = text.chars().any(|c| c.is_ascii_uppercase());
    let strange = text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-');
    if text.is_empty() {
        wrong("is empty", instead)
    } else if upper_case {
        wrong("has upper-case letters", format!("write `{}`", text.to_ascii_lowercase()))
    } else if let Some(strange) = strange {
        wrong(format!("has a `{strange}` in it"), instead)
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        wrong("does not begin with a letter", instead)
    } else if text.ends_with('-') || text.contains("--") {
        wrong("ends in a dash, or has two in a row", instead)
    } else if text.len() > most {
        wrong(format!("has {} characters, {most} is the most", text.len()), instead)
    } else {
        Ok(())
    }
}

/// An AWS region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(String);

checked_text!(Region, "region");

/// Why a stack has one region, for whoever writes two.
const ONE_REGION: &str = "a VPC is in one region: write one, such as `us-east-1`, and let `network.zones` spread the \
                          stack over its availability zones; for a second region write a second stack file";

impl FromStr for Region {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let parts: Vec<&str> = text.split('-').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        if text.split(|c: char| ", +/&".contains(c)).filter(|part| part.contains('-')).count() > 1 {
            return wrong("is more than one region", ONE_REGION);
        }
        if let Some(region) = text.strip_suffix(|c: char| c.is_ascii_lowercase())
            && Self::from_str(region).is_ok()
        {
            return wrong("is an availability zone, not a region", format!("write `{region}`"));
        }
        let (place, number) = (parts.split_last().map_or(&[][..], |(_, place)| place), parts.last().copied());
        let numbered = number.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
        if place.len() < 2 || !place.iter().all(word) || !numbered {
            return wrong("is not a region", "write one such as `us-east-1` or `eu-central-1`");
        }
        Ok(Self(text.to_owned()))
    }
}

impl Region {
    /// The explanation for whoever gives a list of regions.
    pub(super) const ONE: &'static str = ONE_REGION;

    /// The region's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An AWS account's number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountId(String);

checked_text!(AccountId, "account");

impl FromStr for AccountId {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if text.len() == 12 && digits.len() == 12 {
            return Ok(Self(digits));
        }
        let instead = if digits.len() == 12 {
            format!("write \"{digits}\"")
        } else {
            "write the 12 digits that `aws sts get-caller-identity` shows".to_owned()
        };
        wrong("is not an AWS account, which has 12 digits", instead)
    }
}

impl AccountId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A VPC's address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(Ipv4Net);

checked_text!(Cidr, "cidr");

/// Private ranges: RFC 1918, and RFC 6598 which AWS allows too.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

impl FromStr for Cidr {
    type Err = Fault;

    /// <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
    fn from_str(text: &str) -> Result<Self, Fault> {
        let net = range(text, 16)?;
        if !PRIVATE.iter().filter_map(|private| private.parse::<Ipv4Net>().ok()).any(|private| private.contains(&net)) {
            return wrong(
                "is not a private range: hosts on the internet that have these addresses could not be reached",
                "take one inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, such as `10.0.0.0/16`",
            );
        }
        if net.prefix_len() < 16 {
            return wrong("is larger than AWS lets a VPC be", format!("write `{}/16`", net.network()));
        }
        if net.prefix_len() > 25 {
            return wrong(
                "is too small: each of its subnets is an eighth of it, and AWS has none smaller than /28",
                "take /25 or larger; /16 leaves room for everything",
            );
        }
        Ok(Self(net))
    }
}

impl Cidr {
    /// The range.
    #[must_use]
    pub const fn net(&self) -> Ipv4Net {
        self.0
    }
}

impl Default for Cidr {
    fn default() -> Self {
        Self(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 16))
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Addresses outside that may reach a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRange(Ipv4Net);

checked_text!(SourceRange, "source-range");

impl FromStr for SourceRange {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let net = range(text, 32)?;
        if net.prefix_len() == 0 {
            return wrong(
                "is the whole world",
                "give the ranges of your offices or VPN; only the one service without `allow` is open to the world",
            );
        }
        Ok(Self(net))
    }
}

impl SourceRange {
    /// The range.
    #[must_use]
    pub const fn net(&self) -> Ipv4Net {
        self.0
    }
}

/// An IPv4 range without host bits; an address alone is answered with this length.
fn range(text: &str, length: u8) -> Result<Ipv4Net, Fault> {
    let Ok(net) = text.parse::<Ipv4Net>() else {
        return match text.parse::<Ipv4Addr>() {
            Ok(address) => wrong("is an address without a length", format!("write `{address}/{length}`")),
            Err(_) => wrong("is not an IPv4 range", "write four numbers up to 255 and a length, such as `10.0.0.0/16`"),
        };
    };
    if net.trunc() == net { Ok(net) } else { wrong("has host bits set", format!("write `{}`", net.trunc())) }
}
