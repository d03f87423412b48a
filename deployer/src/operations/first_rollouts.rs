//! How the rollouts ended that an apply began: those of services that were made with the image that was there.

use wharf_engine::{Action, LogicalId, Outcome, Value};

use super::{Apply, Error, Planned, RolloutError, Session};
use crate::aws::Kind;
use crate::aws::ecs::rollout as ecs;
use crate::aws::ecs::service::{Service, first};
use crate::ledger::{ClaimError, Timing};
use crate::rollout::choice::Image;
use crate::rollout::machine::Change;
use crate::rollout::record::{Done, Holder, Record, Rollout, Status};

impl Session {
    /// Writes down how they ended. A first version that failed goes back to no task at all, as a first push does.
    pub(super) async fn close_first_rollouts(
        &self,
        request: &Apply<'_>,
        planned: &Planned,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        let made = planned.plan.steps.iter().filter(|step| step.kind == Service::RULES.kind);
        for step in made.filter(|step| matches!(step.action, Action::Create { .. })) {
            let inputs = request.stack.resources.get(&step.id).map(|resource| &resource.inputs);
            let name = inputs.and_then(|inputs| inputs.get("name")).and_then(Value::as_text);
            let failed = outcome.failed.iter().find(|(number, _)| *number == step.number);
            let why = failed.map(|(_, failure)| failure.message.clone());
            if let Some(name) = name.filter(|_| why.is_some() || outcome.done.contains(&step.number)) {
                self.close_first(request, &step.id, &name, why).await.map_err(Error::Rollout)?;
            }
        }
        Ok(())
    }

    async fn close_first(
        &self,
        request: &Apply<'_>,
        id: &LogicalId,
        service: &str,
        why: Option<String>,
    ) -> Result<(), RolloutError> {
        let run = self.aws.run().to_owned();
        let (who, at) = (request.who.name.clone(), request.who.at.clone());
        // Who makes a service with tasks claims its record before.
        let Some(record) = self.ledger.rollouts(service).await? else { return Ok(()) };
        let begun = match record.rollout {
            Some(rollout) if rollout.status.is_open() && rollout.run == run => rollout,
            // Another decided since.
            Some(_) => return Ok(()),
            // The answer to the creation was lost, so nothing was written down of it.
            None => match self.runs(service).await? {
                Some(image) => Rollout {
                    tag: image.tags.into_iter().next(),
                    digest: image.digest,
                    run: run.clone(),
                    who: who.clone(),
                    command: request.command.to_owned(),
                    at: at.clone(),
                    deployment: None,
                    status: Status::Deploying,
                    why: None,
                    done: Done::default(),
                },
                None => return Ok(()),
            },
        };
        let holder = Holder { run, who: who.clone(), command: request.command.to_owned(), since: at };
        let claim = match self.ledger.claim(service, holder, &Timing::unguarded(), &|_| {}, |_| {}).await {
            // Another rollout is under way, which writes down how this one ended.
            Err(ClaimError::Held { .. } | ClaimError::Lost(_)) => return Ok(()),
            claim => claim?,
        };
        if why.is_some() {
            let none = Change { count: Some(0), ..Change::default() };
            ecs::tell(&claim.guarding(&self.aws), id, service, &none).await?;
        }
        let status = if why.is_some() { Status::Failed } else { Status::Settled };
        let ended = Rollout { status, who, why, ..begun };
        let end = |record: &mut Record| match &mut record.rollout {
            Some(rollout) => *rollout = ended,
            none => *none = Some(ended),
        };
        Ok(claim.release(end).await?)
    }

    /// The image that a service was made with, if it has tasks.
    async fn runs(&self, service: &str) -> Result<Option<Image>, RolloutError> {
        match ecs::look(&self.aws, service).await?.filter(|live| live.desired > 0) {
            Some(live) => Ok(first::image(&self.aws, &live.revision).await?),
            None => Ok(None),
        }
    }
}
