//! What holds of every replacement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf::operations::Session;
use wharf_engine::{Action, Found, Gone, LogicalId, Order, Plan, Reason, Replaces, Step, StepNumber, Value};
use wharf_sandbox::{Resource, Sandbox};
use wharf_tests::stack::World;

use super::Field;
use super::values::Case;

/// Plans and applies the case; answers the fields that were reasons to replace something.
pub(super) async fn hold(world: &World, case: &Case) -> Result<BTreeSet<Field>, String> {
    let session = world.session("replace").await.expect("the account can be reached");
    let (before, census) = (look(&session, case).await?, census(&world.sandbox, case));
    let planned = session.plan(&case.stack, &world.options).await.map_err(|error| format!("{error}: {error:?}"))?;
    let plan = planned.plan;
    said(&plan, case)?;
    let applied = world.apply_stack(&session, &case.stack).await.map_err(|error| format!("{error}: {error:?}"))?;
    let (_, outcome) = applied.runs.last().ok_or("nothing was done")?;
    if !applied.complete() {
        return Err(format!("{:?}, and left are {:?}", outcome.failed, outcome.skipped));
    }
    for (new, old, order) in replacements(&plan) {
        in_order(&plan, new, old, order)?;
        done_in_order(&applied.runs[0].1.done, new, old, order)?;
    }
    // What AWS does by itself has come to its end, and nobody sees what was before.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let after = look(&session, case).await?;
    nothing_left(&plan, &before, &after, &world.sandbox)?;
    let counted = self::census(&world.sandbox, case);
    if counted != census {
        return Err(format!("there were {census:?}, there are {counted:?}"));
    }
    let again = session.plan(&case.stack, &world.options).await.map_err(|error| format!("{error}: {error:?}"))?;
    if !again.plan.steps.is_empty() {
        return Err(format!("there is more to do: {:?}", again.plan.steps));
    }
    let reasons = plan.steps.iter().filter(|step| replaced(step).is_some()).flat_map(|step| {
        let fields = step.reasons.iter().filter_map(|reason| match reason {
            Reason::Fields(fields) => Some(fields.clone()),
            _ => None,
        });
        fields.flatten().map(|field| (step.kind.clone(), field)).collect::<Vec<_>>()
    });
    Ok(reasons.collect())
}

/// What exists, by logical id.
type Seen = BTreeMap<LogicalId, Found>;

async fn look(session: &Session, case: &Case) -> Result<Seen, String> {
    let (world, ..) = session.look(&case.stack).await.map_err(|error| format!("{error}: {error:?}"))?;
    let mut seen = Seen::new();
    for found in world.found {
        if let Some(other) = seen.insert(found.id.clone(), found) {
            return Err(format!("there are two of {}: {:?} and {:?}", other.id, other, seen[&other.id]));
        }
    }
    Ok(seen)
}

fn replaced(step: &Step) -> Option<&Replaces> {
    match &step.action {
        Action::Create { replaces, .. } => replaces.as_ref(),
        _ => None,
    }
}

/// The plan replaces what the case is about, for its field.
fn said(plan: &Plan, case: &Case) -> Result<(), String> {
    let step = plan.steps.iter().find(|step| step.id == case.id && replaced(step).is_some());
    let step = step.ok_or_else(|| format!("it is not replaced: {:?}", plan.steps))?;
    let field = |reason: &Reason| match reason {
        Reason::Fields(fields) if case.alone => fields[..] == [case.field],
        Reason::Fields(fields) => fields.iter().any(|field| field == case.field),
        _ => false,
    };
    if !step.reasons.iter().any(field) {
        return Err(format!("it is replaced for {:?}", step.reasons));
    }
    let rules = case.stack.resources[&case.id].rules;
    match replaced(step) {
        Some(replaces) if replaces.order == rules.order.planned() => Ok(()),
        other => Err(format!("the kind is replaced {:?}, this is {other:?}", rules.order.planned())),
    }
}

/// The steps of each replacement: the new one, the old one, and which comes first.
fn replacements(plan: &Plan) -> Vec<(&Step, &Step, Order)> {
    let new = plan.steps.iter().filter_map(|step| Some((step, replaced(step)?)));
    let old = |id: &LogicalId, gone: &str| {
        let mut steps = plan.steps.iter().filter(|step| step.id == *id);
        steps.find(
            |step| matches!(&step.action, Action::Delete { physical, because: Gone::Replaced } if physical == gone),
        )
    };
    new.map(|(step, replaces)| {
        let old = old(&step.id, &replaces.physical);
        (step, old.unwrap_or_else(|| panic!("{} does not go", step.id)), replaces.order)
    })
    .collect()
}

/// The later of the two waits for the other, directly or not.
fn in_order(plan: &Plan, new: &Step, old: &Step, order: Order) -> Result<(), String> {
    let (first, then) = if order == Order::CreateFirst { (new, old) } else { (old, new) };
    let of = |number: &StepNumber| plan.steps.iter().find(|step| step.number == *number);
    let mut open = vec![then];
    let mut known = BTreeSet::new();
    while let Some(step) = open.pop() {
        if step.number == first.number {
            return Ok(());
        }
        let needs = step.needs.iter().filter(|number| known.insert(**number));
        open.extend(needs.filter_map(of));
    }
    Err(format!("{} is to be replaced {order:?}, but nothing waits", new.id))
}

fn done_in_order(done: &[StepNumber], new: &Step, old: &Step, order: Order) -> Result<(), String> {
    let place = |step: &Step| done.iter().position(|number| *number == step.number);
    let was = if place(new) < place(old) { Order::CreateFirst } else { Order::DeleteFirst };
    if was == order { Ok(()) } else { Err(format!("{} was to be replaced {order:?}, and was not", new.id)) }
}

/// The names of the old ones are nowhere any more: not in what is found, and not in any corner of the account.
fn nothing_left(plan: &Plan, before: &Seen, after: &Seen, sandbox: &Sandbox) -> Result<(), String> {
    let now: BTreeSet<String> = after.values().flat_map(names).collect();
    for (new, ..) in replacements(plan) {
        let Some(old) = before.get(&new.id) else { return Err(format!("{} was not there", new.id)) };
        let gone: Vec<String> = names(old).into_iter().filter(|name| !now.contains(name)).collect();
        let holds = |resource: &&Resource| gone.iter().any(|name| mentions(resource, name));
        if let Some(holder) = inventory(sandbox).iter().find(holds) {
            return Err(format!("{:?} of the old {} is still in {} {}", gone, new.id, holder.kind, holder.id));
        }
    }
    Ok(())
}

/// What AWS calls a resource: names long enough to be nobody else's. A scaling target has its service's.
fn names(found: &Found) -> BTreeSet<String> {
    if found.rules.kind == "application-autoscaling.target" {
        return BTreeSet::new();
    }
    let outputs = found.outputs.values().filter_map(Value::as_text);
    outputs.chain([found.physical.clone()]).filter(|name| name.len() > 10).collect()
}

fn mentions(resource: &Resource, name: &str) -> bool {
    let of_old = |text: &str| {
        let mut places = text.match_indices(name).map(|(at, _)| text[at + name.len()..].chars().next());
        // A longer name is another.
        places.any(|next| next.is_none_or(|next| !next.is_ascii_alphanumeric() && next != '-'))
    };
    // Why an alarm is in its state says what was.
    let shown = resource.attrs.iter().filter(|(key, _)| !key.starts_with('_') && !key.starts_with("StateReason"));
    resource.id == name || shown.map(|(_, value)| value.to_string()).any(|text| of_old(&text))
}

/// All that the account holds, but for what records the past: a key that waits for its end, and a task definition that
/// nothing can use any more, are as gone as AWS lets them be. Nor is a task in it that a schedule started: it is there
/// by the hour.
fn inventory(sandbox: &Sandbox) -> Vec<Resource> {
    let past = ["dynamodb.item", "rds.snapshot", "rds.automated-backup"];
    let all = sandbox.inventory().into_iter().filter(|resource| !past.contains(&resource.kind));
    let gone = |one: &Resource| one.text("KeyState") == "PendingDeletion" || one.text("status") == "INACTIVE";
    let all = all.filter(|one| one.kind != "ecs.task" || one.text("group").starts_with("service:"));
    all.filter(|resource| !gone(resource)).collect()
}

/// How many there are of each kind, but for those that the case adds.
fn census(sandbox: &Sandbox, case: &Case) -> BTreeMap<&'static str, usize> {
    let mut census = BTreeMap::new();
    // A regional NAT gateway has an address and an interface in each zone that the subnets are in.
    let of_zones = |one: &Resource| one.aws_made && ["ec2.elastic-ip", "ec2.network-interface"].contains(&one.kind);
    let all = inventory(sandbox).into_iter().filter(|one| !of_zones(one) && !case.added.contains(&one.kind));
    all.map(|one| one.kind).for_each(|kind| *census.entry(kind).or_default() += 1);
    census
}
