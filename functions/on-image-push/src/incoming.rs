//! What arrives, and which service has to be looked after because of it.

use serde_json::Value;
use wharf_events::{Arrival, Content, DeploymentChange, Event, ImageAction, Progress, TaskChange};

use crate::choice;
use crate::machine::Trigger;
use crate::one_off;
use crate::record::{Moment, Push};
use crate::settings::Settings;

/// What marks the message by which the schedule wakes the function.
pub(crate) const SCHEDULE: &str = "wharf-reconcile";

/// What is to be done about something that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Services are to be looked after: by their places in the settings.
    Look(Vec<(usize, Trigger)>),
    /// An image without a tag was pushed for these services: whether it has one that counts has to be looked up.
    Untagged(Vec<usize>, Push),
    /// Nothing: why.
    Ignored(String),
    /// It is nothing that this function understands: why.
    Foreign(String),
}

impl Work {
    /// What is to be done about what arrived.
    #[must_use]
    pub(crate) fn of(arrival: &Arrival, settings: &Settings) -> Self {
        let value = match &arrival.content {
            Content::Json(value) => value,
            Content::Text(_) => return Self::Foreign("it is no JSON document".to_owned()),
            Content::Handshake(kind) => return Self::Ignored(format!("{kind} asks for nothing that a queue can do")),
        };
        if value.get(SCHEDULE).is_some() {
            return Self::Look((0..settings.services.len()).map(|service| (service, Trigger::Schedule)).collect());
        }
        let Some(event) = Event::read(value) else { return Self::Foreign("it is no event".to_owned()) };
        if let Some(action) = ImageAction::read(&event) {
            return pushed(&event, action, settings);
        }
        if let Some(change) = TaskChange::read(&event) {
            return task(&change, settings);
        }
        if let Some(change) = DeploymentChange::read(&event) {
            return deployment(change, settings);
        }
        Self::Ignored(format!("no rollout depends on events of the kind {:?} from {:?}", event.kind, event.source))
    }

    fn one(service: Option<usize>, trigger: Trigger, otherwise: &str) -> Self {
        service.map_or_else(|| Self::Ignored(otherwise.to_owned()), |service| Self::Look(vec![(service, trigger)]))
    }
}

fn pushed(event: &Event, action: ImageAction, settings: &Settings) -> Work {
    let ignored = |why: &str| Work::Ignored(why.to_owned());
    if action.action != "PUSH" {
        return Work::Ignored(format!("{} brings no image", Value::from(action.action)));
    }
    if !action.succeeded {
        return ignored("the push did not succeed");
    }
    let registry = &settings.registry;
    if (event.account.as_ref(), event.region.as_ref()) != (Some(&registry.account), Some(&registry.region)) {
        return ignored("it was pushed to another registry");
    }
    let of_repository =
        |(_, service): &(usize, &crate::settings::Service)| settings.repository(service) == action.repository;
    let services: Vec<_> = settings.services.iter().enumerate().filter(of_repository).collect();
    if services.is_empty() {
        return Work::Ignored(format!("no service has its image from the repository {:?}", action.repository));
    }
    let Some(digest) = action.digest.filter(|digest| is_digest(digest)) else {
        return ignored("it names no digest");
    };
    if let Some(artifact) = action.artifact.filter(|artifact| !choice::is_container(artifact)) {
        return Work::Ignored(choice::NoImage::Artifact(artifact).to_string());
    }
    let Some(at) = event.time else { return ignored("it does not say when it was pushed") };
    let moment = Moment { at, id: event.id.clone().unwrap_or_default() };
    let push = Push { digest, tag: action.tag.clone(), moment };
    let Some(tag) = action.tag else {
        return Work::Untagged(services.into_iter().map(|(place, _)| place).collect(), push);
    };
    let counts = services.into_iter().filter(|(_, service)| choice::is_release(&service.tags, &tag));
    let looks: Vec<_> = counts.map(|(place, _)| (place, Trigger::Push(push.clone()))).collect();
    if looks.is_empty() {
        Work::Ignored(format!("the tag {tag:?} does not count as a release"))
    } else {
        Work::Look(looks)
    }
}

/// Whether it is a digest as ECR gives them.
fn is_digest(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn task(change: &TaskChange, settings: &Settings) -> Work {
    const OTHERS: &str = "the task is none that a rollout waits for";
    if change.cluster != settings.cluster || change.status != "STOPPED" {
        return Work::Ignored(OTHERS.to_owned());
    }
    let service = change.service().or_else(|| one_off::service_of(&change.group));
    Work::one(service.and_then(|service| place(settings, service)), Trigger::Event, OTHERS)
}

fn deployment(change: DeploymentChange, settings: &Settings) -> Work {
    const OTHERS: &str = "the deployment is not of one of the stack's services";
    if change.cluster != settings.cluster {
        return Work::Ignored(OTHERS.to_owned());
    }
    let trigger = match change.progress {
        Progress::Failed => Trigger::Failed { deployment: change.deployment, why: change.reason.unwrap_or_default() },
        _ => Trigger::Event,
    };
    Work::one(place(settings, &change.service), trigger, OTHERS)
}

fn place(settings: &Settings, name: &str) -> Option<usize> {
    settings.services.iter().position(|service| service.service == name)
}

#[cfg(test)]
pub(crate) mod tests;
