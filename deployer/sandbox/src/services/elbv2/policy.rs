//! What AWS says of itself: security policies and the account's limits.

use serde_json::{Value, json};

use super::paged;
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;

/// What a listener gets that asks for none through the API.
pub(super) const DEFAULT: &str = "ELBSecurityPolicy-2016-08";

/// Policies with their protocols and some of their ciphers.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>
const POLICIES: &[(&str, &[&str])] = &[
    ("ELBSecurityPolicy-TLS13-1-3-2021-06", &["TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS-1-2-2017-01", &["TLSv1.2"]),
    ("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", &["TLSv1.2"]),
    ("ELBSecurityPolicy-FS-1-2-Res-2020-10", &["TLSv1.2"]),
    ("ELBSecurityPolicy-2016-08", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
];

pub(super) fn known(name: &str) -> Result<(), ApiError> {
    match POLICIES.iter().any(|(policy, _)| *policy == name) {
        true => Ok(()),
        false => Err(refuse("SSLPolicyNotFound", format!("SSL policy '{name}' not found"))),
    }
}

pub(super) fn describe(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names = input.strings("Names");
    names.iter().try_for_each(|name| known(name))?;
    if let Some(kind) = input.opt_str("LoadBalancerType").filter(|kind| *kind != "application") {
        return Err(ApiError::not_simulated(format!("load balancers of type {kind}")));
    }
    let asked = POLICIES.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|asked| asked == name));
    let shown = |(name, protocols): &(&str, &[&str])| {
        let new = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"];
        let old = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"];
        let with = |version, ciphers: [&'static str; 2]| protocols.contains(&version).then_some(ciphers);
        let ciphers = [with("TLSv1.3", new), with("TLSv1.2", old)].into_iter().flatten().flatten();
        let ciphers: Vec<Value> =
            ciphers.enumerate().map(|(n, name)| json!({"Name": name, "Priority": n + 1})).collect();
        json!({"Name": name, "SslProtocols": protocols, "Ciphers": ciphers, "SupportedLoadBalancerTypes": ["application", "network"]})
    };
    paged(input, "SslPolicies", asked.map(shown).collect())
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
pub(super) fn limits(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    let limits = [
        ("application-load-balancers", "50"),
        ("target-groups", "3000"),
        ("listeners-per-application-load-balancer", "50"),
        ("rules-per-application-load-balancer", "100"),
        ("certificates-per-application-load-balancer", "25"),
        ("targets-per-application-load-balancer", "1000"),
        ("targets-per-target-group", "1000"),
        ("target-groups-per-application-load-balancer", "100"),
        ("target-groups-per-action-on-application-load-balancer", "5"),
        ("condition-values-per-alb-rule", "5"),
        ("condition-wildcards-per-alb-rule", "6"),
    ];
    paged(input, "Limits", limits.map(|(name, max)| json!({"Name": name, "Max": max})).to_vec())
}
