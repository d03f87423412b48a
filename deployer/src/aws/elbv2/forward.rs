//! Where a listener or a rule sends requests, and who decides how many go where.
//!
//! The stack decides to which groups; rollouts decide the weights, and leave them as they are when they are done: which
//! of two groups is live is nobody else's to say.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb-resources-for-blue-green.html>

use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ForwardActionConfig, TargetGroupTuple};

use super::target_group::TargetGroupArn;
use crate::aws::call::CallError;
use crate::aws::out::Out;

/// Groups with their weights.
pub(super) type Shares = Vec<(String, u16)>;

/// What a new listener or rule forwards to: the groups with the weights beside them; where none stands, the first
/// group gets everything.
pub(super) fn first(groups: &[Out<TargetGroupArn>], weights: &[u16]) -> Result<Shares, CallError> {
    let share = |(n, group): (usize, &Out<TargetGroupArn>)| {
        let weight = weights.get(n).copied().unwrap_or(if n == 0 { 100 } else { 0 });
        Ok((group.get()?.to_owned(), weight))
    };
    groups.iter().enumerate().map(share).collect()
}

/// The groups wanted, where those that are there already keep their weights. One that takes the place of another
/// gets that one's weight; one that is only added gets nothing until a rollout says so.
pub(super) fn moved(now: &[(String, u16)], groups: &[Out<TargetGroupArn>]) -> Result<Shares, CallError> {
    let wanted: Vec<String> =
        groups.iter().map(|group| Ok(group.get()?.to_owned())).collect::<Result<_, CallError>>()?;
    let mut leaving: Vec<u16> =
        now.iter().filter(|(arn, _)| !wanted.contains(arn)).map(|(_, weight)| *weight).collect();
    // The live one's weight goes to the first that is new.
    leaving.sort_unstable();
    let mut shares: Shares = wanted
        .into_iter()
        .map(|arn| {
            let kept = now.iter().find(|(other, _)| *other == arn).map(|(_, weight)| *weight);
            let weight = kept.or_else(|| leaving.pop()).unwrap_or(0);
            (arn, weight)
        })
        .collect();
    if shares.iter().all(|(_, weight)| *weight == 0)
        && let Some((_, weight)) = shares.first_mut()
    {
        *weight = 100;
    }
    Ok(shares)
}

/// The action that forwards so.
pub(super) fn action(shares: &[(String, u16)]) -> Action {
    let share = |(arn, weight): &(String, u16)| {
        TargetGroupTuple::builder().target_group_arn(arn).weight(i32::from(*weight)).build()
    };
    let config = ForwardActionConfig::builder().set_target_groups(Some(shares.iter().map(share).collect())).build();
    Action::builder().r#type(ActionTypeEnum::Forward).forward_config(config).build()
}

/// Where actions forward to, ordered by group.
pub(super) fn observe(actions: &[Action]) -> Shares {
    let configs = actions.iter().filter_map(|action| action.forward_config());
    let share = |group: &TargetGroupTuple| {
        let weight = group.weight().and_then(|weight| u16::try_from(weight).ok()).unwrap_or_default();
        Some((group.target_group_arn()?.to_owned(), weight))
    };
    let mut shares: Shares = configs.flat_map(|config| config.target_groups()).filter_map(share).collect();
    shares.sort();
    shares
}

/// Groups and weights of what was observed, as fields have them.
pub(super) fn fields(shares: &[(String, u16)]) -> (Vec<Out<TargetGroupArn>>, Vec<u16>) {
    shares.iter().map(|(arn, weight)| (Out::known(arn.as_str()), *weight)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(arns: &[&str]) -> Vec<Out<TargetGroupArn>> {
        arns.iter().map(|arn| Out::known(*arn)).collect()
    }

    fn shares(all: &[(&str, u16)]) -> Shares {
        all.iter().map(|(arn, weight)| ((*arn).to_owned(), *weight)).collect()
    }

    #[test]
    fn weights_that_a_rollout_left_stay_when_a_group_is_replaced() {
        let now = shares(&[("blue", 0), ("green", 100)]);
        let moved = |wanted: &[&str]| super::moved(&now, &groups(wanted)).unwrap();
        assert_eq!(moved(&["blue", "green-2"]), shares(&[("blue", 0), ("green-2", 100)]));
        assert_eq!(moved(&["blue-2", "green"]), shares(&[("blue-2", 0), ("green", 100)]));
        assert_eq!(moved(&["blue-2", "green-2"]), shares(&[("blue-2", 100), ("green-2", 0)]));
    }

    #[test]
    fn a_group_that_is_added_gets_nothing_and_one_that_is_left_alone_gets_all() {
        let one = shares(&[("blue", 100)]);
        assert_eq!(moved(&one, &groups(&["blue", "green"])).unwrap(), shares(&[("blue", 100), ("green", 0)]));
        let two = shares(&[("blue", 0), ("green", 100)]);
        assert_eq!(moved(&two, &groups(&["blue"])).unwrap(), shares(&[("blue", 100)]));
    }
}
