//! A listener: a port of a load balancer, how it proves who it is, and what becomes of requests that no rule takes.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html>

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, FixedResponseActionConfig, Listener as Sdk, ProtocolEnum,
    RedirectActionConfig, RedirectActionStatusCodeEnum,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::load_balancer::LoadBalancerArn;
use super::target_group::TargetGroupArn;
use super::{balancers, forward, or_none, tagging};
use crate::aws::acm::issued::CertificateArn;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The load balancer that it listens for.
    pub load_balancer: Out<LoadBalancerArn>,
    /// The port, which it has alone.
    pub port: u16,
    /// How it proves who it is; none is plain HTTP.
    pub tls: Option<Tls>,
    /// Certificates for further names.
    pub more_certificates: Vec<Out<CertificateArn>>,
    /// What becomes of requests that no rule takes.
    pub default: DefaultAction,
    /// Where they go when they are forwarded; empty otherwise.
    pub target_groups: Vec<Out<TargetGroupArn>>,
    /// How much of them goes to each of those; rollouts decide, this counts at creation only.
    pub weights: Vec<u16>,
    /// The user's tags.
    pub tags: Tags,
}

/// How a listener proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// The security policy: protocols and ciphers.
    pub policy: String,
    /// The certificate that is shown unless another name is asked for.
    pub certificate: Out<CertificateArn>,
}

/// TLS 1.2 and 1.3 with forward secrecy.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>
pub const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// What becomes of requests that no rule takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultAction {
    /// They are answered 404 with this text.
    NotFound {
        /// The text.
        body: String,
    },
    /// They are sent to the same place over HTTPS.
    ToHttps,
    /// They go to the target groups.
    Forward,
    /// Something else that was made by hand.
    Other,
}

/// Marks the ARN of a listener.
#[derive(Debug)]
pub enum ListenerArn {}

impl Handle<Listener> {
    /// The listener's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ListenerArn> {
        self.output("arn")
    }
}

impl Kind for Listener {
    const RULES: &'static Rules = &Rules {
        kind: "elbv2.listener",
        fields: &[
            Field::new("load_balancer").replaces(),
            Field::new("port"),
            Field::new("tls"),
            Field::new("more_certificates").compared(Compare::Set),
            Field::new("default"),
            Field::new("target_groups").compared(Compare::Set),
            Field::new("weights").owned_by(Owner::Rollouts),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // Another load balancer has its ports free.
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 2, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let all = match query.only_physical() {
            Some(arn) => {
                let send = || aws.elb.describe_listeners().listener_arns(arn).send();
                let answer = aws.call("elasticloadbalancing:DescribeListeners", arn, send).await;
                or_none(answer.map(|answer| answer.listeners.unwrap_or_default()))?
            }
            None => balancers::listeners(aws).await?,
        };
        let arns: Vec<String> = all.iter().filter_map(|listener| listener.listener_arn.clone()).collect();
        let more = try_join_all(all.iter().map(|listener| more_certificates(aws, listener)));
        let (tags, more) = futures::try_join!(tagging::of(aws, &arns), more)?;
        let found = all.iter().zip(more).filter_map(|(listener, more)| {
            let all = tags.get(listener.listener_arn()?)?;
            observe(aws, listener, more, all)
        });
        Ok(found.collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "elasticloadbalancing:CreateListener";
        let action = self.action(&forward::first(&self.target_groups, &self.weights)?)?;
        let call = aws
            .elb
            .create_listener()
            .load_balancer_arn(self.load_balancer.get()?)
            .port(self.port.into())
            .protocol(self.protocol())
            .set_ssl_policy(self.tls.as_ref().map(|tls| tls.policy.clone()))
            .set_certificates(self.certificate()?)
            .default_actions(action)
            .set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))));
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await;
        let answer = answer.map_err(CallError::right_after_create)?;
        let made = answer.listeners().first().and_then(|made| made.listener_arn());
        let arn = made.ok_or_else(|| CallError::lacks(ACTION, "ListenerArn"))?;
        self.add_certificates(aws, arn, &[]).await.map_err(CallError::right_after_create)?;
        Ok(Made { physical: arn.to_owned(), outputs: Some(outputs(arn)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let arn = &now.physical;
        // One of the further certificates may become the first, and the first one of them: AWS refuses to take the
        // first away, and to have one twice.
        if changed.has("more_certificates") {
            self.remove_certificates(aws, arn, &now.inputs.more_certificates).await?;
        }
        if changed.any(&["port", "tls", "default", "target_groups"]) {
            let held = forward::first(&now.inputs.target_groups, &now.inputs.weights)?;
            let action = self.action(&forward::moved(&held, &self.target_groups)?)?;
            let call = aws
                .elb
                .modify_listener()
                .listener_arn(arn)
                .port(self.port.into())
                .protocol(self.protocol())
                .set_ssl_policy(self.tls.as_ref().map(|tls| tls.policy.clone()))
                .set_certificates(self.certificate()?)
                .default_actions(action);
            aws.call("elasticloadbalancing:ModifyListener", arn, || call.clone().send()).await?;
        }
        if changed.has("more_certificates") {
            self.add_certificates(aws, arn, &now.inputs.more_certificates).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, arn, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.elb.delete_listener().listener_arn(&now.physical).send();
        aws.call("elasticloadbalancing:DeleteListener", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const BALANCER: &[&str] = &["arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/app/*"];
        const LISTENER: &[&str] = &["arn:{partition}:elasticloadbalancing:{region}:{account}:listener/app/*"];
        const CHANGE: &[&str] = &[
            "elasticloadbalancing:ModifyListener",
            "elasticloadbalancing:AddListenerCertificates",
            "elasticloadbalancing:RemoveListenerCertificates",
            "elasticloadbalancing:DeleteListener",
        ];
        let own = [
            Grant::read(&[
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeListenerCertificates",
            ]),
            Grant::write(&["elasticloadbalancing:CreateListener"], BALANCER).when(OF_THIS_STACK),
            Grant::write(CHANGE, LISTENER).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl Listener {
    fn protocol(&self) -> ProtocolEnum {
        if self.tls.is_some() { ProtocolEnum::Https } else { ProtocolEnum::Http }
    }

    fn certificate(&self) -> Result<Option<Vec<Certificate>>, CallError> {
        let Some(tls) = &self.tls else { return Ok(None) };
        Ok(Some(vec![Certificate::builder().certificate_arn(tls.certificate.get()?).build()]))
    }

    fn action(&self, shares: &[(String, u16)]) -> Result<Action, CallError> {
        Ok(match &self.default {
            DefaultAction::NotFound { body } => {
                let answer = FixedResponseActionConfig::builder().status_code("404").content_type("text/plain");
                let answer = answer.message_body(body).build();
                Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(answer).build()
            }
            DefaultAction::ToHttps => {
                let to = RedirectActionConfig::builder().protocol("HTTPS").port("443");
                let to = to.status_code(RedirectActionStatusCodeEnum::Http301).build();
                Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(to).build()
            }
            DefaultAction::Forward => forward::action(shares),
            DefaultAction::Other => return Err(CallError::ours("a listener's default action that is none of ours")),
        })
    }

    /// Adds the certificates that `now` has not.
    async fn add_certificates(&self, aws: &Aws, arn: &str, now: &[Out<CertificateArn>]) -> Result<(), CallError> {
        let list = only_in(&self.more_certificates, now)?;
        if list.is_empty() {
            return Ok(());
        }
        let call = aws.elb.add_listener_certificates().listener_arn(arn).set_certificates(Some(list));
        aws.call("elasticloadbalancing:AddListenerCertificates", arn, || call.clone().send()).await.map(drop)
    }

    /// Takes the certificates away that only `now` has.
    async fn remove_certificates(&self, aws: &Aws, arn: &str, now: &[Out<CertificateArn>]) -> Result<(), CallError> {
        let list = only_in(now, &self.more_certificates)?;
        if list.is_empty() {
            return Ok(());
        }
        let call = aws.elb.remove_listener_certificates().listener_arn(arn).set_certificates(Some(list));
        aws.call("elasticloadbalancing:RemoveListenerCertificates", arn, || call.clone().send()).await.map(drop)
    }
}

/// The certificates of one list that are not in another.
fn only_in(some: &[Out<CertificateArn>], others: &[Out<CertificateArn>]) -> Result<Vec<Certificate>, CallError> {
    let certificate = |out: &Out<CertificateArn>| Ok(Certificate::builder().certificate_arn(out.get()?).build());
    some.iter().filter(|out| !others.contains(out)).map(certificate).collect()
}

/// The certificates of a listener besides its own.
async fn more_certificates(aws: &Aws, listener: &Sdk) -> Result<Vec<Out<CertificateArn>>, CallError> {
    let (Some(arn), Some(ProtocolEnum::Https)) = (listener.listener_arn(), listener.protocol()) else {
        return Ok(Vec::new());
    };
    let send = |marker| aws.elb.describe_listener_certificates().listener_arn(arn).set_marker(marker).send();
    let page = |page: aws_sdk_elasticloadbalancingv2::operation::describe_listener_certificates::DescribeListenerCertificatesOutput| {
        (page.certificates.unwrap_or_default(), page.next_marker)
    };
    let all = match aws.pages("elasticloadbalancing:DescribeListenerCertificates", arn, send, page).await {
        Err(error) if error.class == Class::Missing => Vec::new(),
        all => all?,
    };
    let more = all.iter().filter(|certificate| certificate.is_default() != Some(true));
    let mut more: Vec<_> = more.filter_map(|certificate| certificate.certificate_arn()).map(Out::known).collect();
    more.sort();
    Ok(more)
}

fn observe(
    aws: &Aws,
    listener: &Sdk,
    more_certificates: Vec<Out<CertificateArn>>,
    all: &Tags,
) -> Option<Found<Listener>> {
    let arn = listener.listener_arn()?;
    let (id, identity) = tags::read(&aws.scope.stack, all)?;
    let certificate = listener.certificates().first().and_then(|certificate| certificate.certificate_arn());
    let tls =
        |arn: &str| Tls { policy: listener.ssl_policy().unwrap_or_default().to_owned(), certificate: Out::known(arn) };
    let (target_groups, weights) = forward::fields(&forward::observe(listener.default_actions()));
    let inputs = Listener {
        load_balancer: Out::known(listener.load_balancer_arn().unwrap_or_default()),
        port: listener.port().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        tls: certificate.map(tls),
        more_certificates,
        default: default(listener.default_actions()),
        target_groups,
        weights,
        tags: tags::user(all),
    };
    Some(Found {
        id,
        physical: arn.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(arn),
        blockers: Default::default(),
    })
}

fn default(actions: &[Action]) -> DefaultAction {
    let [action] = actions else { return DefaultAction::Other };
    let fixed = action.fixed_response_config().filter(|fixed| fixed.status_code() == Some("404"));
    let to_https = action.redirect_config().is_some_and(|to| {
        let same = |text: Option<&str>, whole: &str| text.is_none_or(|text| text == whole);
        to.protocol() == Some("HTTPS")
            && to.port() == Some("443")
            && to.status_code() == Some(&RedirectActionStatusCodeEnum::Http301)
            && same(to.host(), "#{host}")
            && same(to.path(), "/#{path}")
            && same(to.query(), "#{query}")
    });
    match (action.r#type(), fixed) {
        (_, Some(fixed)) => DefaultAction::NotFound { body: fixed.message_body().unwrap_or_default().to_owned() },
        (Some(ActionTypeEnum::Forward), _) => DefaultAction::Forward,
        _ if to_https => DefaultAction::ToHttps,
        _ => DefaultAction::Other,
    }
}

fn outputs(arn: &str) -> Outputs {
    Outputs::from([("arn".to_owned(), Value::text(arn))])
}
