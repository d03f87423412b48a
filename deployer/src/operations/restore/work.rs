//! The steps of a restore, each of which looks before it does anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_engine::{Action, AllowDestroy, Class, Found, Health, Identity, Options, Resource, Stack, World, plan};

use super::super::Error;
use super::{Goal, Kept, Restore, RestoreError, Session, Way};
use crate::aws::kind::{Changed, Kind};
use crate::aws::rds::instance::Instance;
use crate::aws::rds::instance::restored::{self, Member, Part};
use crate::aws::{Aws, CallError, tags};

/// Between two looks at an instance, which takes minutes for everything.
const POLL: Duration = Duration::from_secs(15);
/// So often it is looked at while it comes to be, or changes: three hours. A large one takes long.
const LOOKS: usize = 720;
/// So many changes in a row are enough to make an instance as the stack says.
const CHANGES: usize = 8;
/// What stands between a database's name and the moment of its restore.
const RESTORED: &str = "-restored-";
const BEFORE: &str = "-before-";

/// A restore while the lock is held.
pub(super) struct Work<'a> {
    pub(super) session: &'a Session,
    pub(super) aws: Aws,
    pub(super) goal: &'a Goal,
    pub(super) request: &'a Restore<'a>,
}

/// Whether a log is exported yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Logs {
    /// They would make groups by a name that passes.
    NotYet,
    /// As the stack says.
    AsWanted,
}

impl Work<'_> {
    /// All steps that are left. Answers what is kept.
    pub(super) async fn run(&self, way: &Way) -> Result<Option<Kept>, Error> {
        self.made(way).await?;
        let new = self.grown().await?;
        let target = new.split_once(RESTORED).map_or(new.as_str(), |(target, _)| target).to_owned();
        if new != target {
            self.settle(&new, Logs::NotYet).await?;
            self.put_aside(&new, &target).await?;
            let rename = async || restored::rename(&self.aws, &new, &target).await;
            self.renamed(&new, &target, rename).await?;
        }
        self.exchange(&target, &way.word()).await?;
        self.settle(&target, Logs::AsWanted).await?;
        self.finished(&target).await?;
        let replaced = Part::Kept(way.word());
        let kept = self.members().await?.into_iter().filter(|member| member.part == replaced);
        Ok(kept.max_by(|a, b| a.name.cmp(&b.name)).map(|member| Kept { size: member.size(), instance: member.name }))
    }

    async fn members(&self) -> Result<Vec<Member>, RestoreError> {
        Ok(restored::members(&self.aws, &self.goal.id).await?)
    }

    /// There is an instance that a restore makes, or has made.
    async fn made(&self, way: &Way) -> Result<(), RestoreError> {
        for _ in 0..LOOKS {
            let members = self.members().await?;
            if members.iter().any(Member::is_restored) {
                return Ok(());
            }
            let Way::Begin(backup) = way else { break };
            let current = members.iter().find(|member| member.part == Part::Current);
            let target = current.map_or(&self.goal.wanted.identifier, |current| &current.name);
            let name = format!("{target}{RESTORED}{}", stamp(&self.request.who.at));
            self.say(&format!("{name} is made {}", backup.word()));
            passing(restored::begin(&self.aws, &self.goal.wanted, backup, &name).await)?;
            tokio::time::sleep(POLL).await;
        }
        Err(RestoreError::Unready(self.goal.wanted.identifier.clone()))
    }

    /// The name of that instance, once it is ready: while it is renamed, it has the one and then the other.
    async fn grown(&self) -> Result<String, RestoreError> {
        for _ in 0..LOOKS {
            let name = self.members().await?.into_iter().find(Member::is_restored).map(|member| member.name);
            if let Some(name) = name
                && self.is_ready(&name).await?.is_some()
            {
                return Ok(name);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(RestoreError::Unready(self.goal.wanted.identifier.clone()))
    }

    /// The old database makes room: it gets another name.
    async fn put_aside(&self, new: &str, target: &str) -> Result<(), RestoreError> {
        let stamp = new.rsplit(RESTORED).next().unwrap_or_default();
        let aside = format!("{target}{BEFORE}{stamp}");
        let old = self.members().await?.into_iter().find(|member| member.part == Part::Current);
        let Some(old) = old.filter(|old| old.name == target || old.name == aside) else { return Ok(()) };
        if old.name == target {
            self.say("the database makes room: from here on it does not answer until the new one has its name");
        }
        self.renamed(target, &aside, async || restored::put_aside(&self.aws, &old, &aside).await).await
    }

    /// The stack's identity goes from the old one to the new one.
    async fn exchange(&self, target: &str, word: &str) -> Result<(), RestoreError> {
        let old = self.members().await?.into_iter().find(|member| member.part == Part::Current);
        if let Some(old) = old.filter(|old| old.name != target) {
            self.certain(async || restored::disown(&self.aws, &old.name, word).await).await?;
            // Whoever plans a moment later may still be shown the old tags, beside those that are written now.
            tokio::time::sleep(POLL).await;
        }
        let (stack, goal) = (&self.aws.scope.stack, self.goal);
        let identity = tags::for_new(stack, &goal.id, &goal.generation, &goal.wanted.tags);
        self.certain(async || restored::own(&self.aws, target, &identity).await).await
    }

    /// It is the stack's database now, like any other.
    async fn finished(&self, target: &str) -> Result<(), RestoreError> {
        self.certain(async || restored::finish(&self.aws, target).await).await
    }

    /// Sends what changes nothing when it is sent again, until AWS has answered it.
    async fn certain(&self, send: impl AsyncFn() -> Result<(), CallError>) -> Result<(), RestoreError> {
        for _ in 0..CHANGES {
            let sent = send().await;
            if sent.is_ok() {
                return Ok(());
            }
            passing(sent)?;
            tokio::time::sleep(POLL).await;
        }
        Ok(send().await?)
    }

    /// Gives an instance another name, and waits until it is ready under that. A change is sent again as long as
    /// nothing is to be seen of it.
    async fn renamed(
        &self,
        from: &str,
        to: &str,
        change: impl AsyncFn() -> Result<(), CallError>,
    ) -> Result<(), RestoreError> {
        for _ in 0..LOOKS {
            let members = self.members().await?;
            if members.iter().any(|member| member.name == to) {
                return self.ready(to).await.map(drop);
            }
            let old = members.iter().find(|member| member.name == from);
            match old.map(|old| old.health(&self.goal.id, &self.goal.wanted)).transpose()? {
                Some(Health::Ready) => {
                    self.say(&format!("{from} becomes {to}"));
                    passing(change().await)?;
                }
                Some(Health::Settling(what)) => self.say(&format!("{from}: {what}")),
                _ => {}
            }
            tokio::time::sleep(POLL).await;
        }
        Err(RestoreError::Unready(to.to_owned()))
    }

    /// The instance of this name, once it is ready.
    async fn ready(&self, name: &str) -> Result<Member, RestoreError> {
        for _ in 0..LOOKS {
            if let Some(member) = self.is_ready(name).await? {
                return Ok(member);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(RestoreError::Unready(name.to_owned()))
    }

    /// The instance of this name, if it is ready.
    async fn is_ready(&self, name: &str) -> Result<Option<Member>, RestoreError> {
        let found = self.members().await?.into_iter().find(|member| member.name == name);
        let Some(member) = found else { return Ok(None) };
        let failed = |why: String| RestoreError::Failed { instance: name.to_owned(), why };
        match member.health(&self.goal.id, &self.goal.wanted)? {
            Health::Ready => return Ok(Some(member)),
            Health::Settling(what) => self.say(&format!("{name}: {what}")),
            Health::Failed(why) => return Err(failed(why)),
            Health::Deleting => return Err(failed("somebody is deleting it".to_owned())),
        }
        Ok(None)
    }

    /// Changes the new instance until it is as the stack says. The password is among what differs: it has that of the
    /// moment it was restored to.
    async fn settle(&self, name: &str, logs: Logs) -> Result<(), Error> {
        let kind = self.session.kinds.get(Instance::RULES.kind);
        let kind = kind.ok_or_else(|| RestoreError::Unready(name.to_owned()))?;
        for _ in 0..CHANGES {
            let member = self.ready(name).await?;
            let identity = Identity::Ours(Some(self.goal.generation.clone()));
            let now = member.as_database(&self.goal.id, &self.goal.wanted, identity);
            let now = now.map_err(RestoreError::from)?;
            let Some((inputs, changed)) = self.lacks(&now, logs)? else { return Ok(()) };
            let names: Vec<&str> = changed.0.iter().map(String::as_str).collect();
            self.say(&format!("{name} is changed: {}", names.join(", ")));
            passing(kind.update(&self.aws, now, inputs, changed).await.map(drop))?;
            tokio::time::sleep(POLL).await;
        }
        Err(RestoreError::Unready(name.to_owned()).into())
    }

    /// What an instance lacks of what the stack says; none when nothing.
    fn lacks(&self, now: &Found, logs: Logs) -> Result<Option<(wharf_engine::Inputs, Changed)>, Error> {
        const EXPORTS: &str = "log_exports";
        let mut inputs = self.goal.inputs.clone();
        if let (Logs::NotYet, Some(exports)) = (logs, now.inputs.get(EXPORTS)) {
            inputs.insert(EXPORTS.to_owned(), exports.clone());
        }
        let id = self.goal.id.clone();
        let resource = Resource { id: id.clone(), rules: Instance::RULES, inputs, after: BTreeSet::new() };
        let alone = Stack { resources: BTreeMap::from([(id, resource)]) };
        let options = Options { allow_destroy: AllowDestroy::All, ..Options::default() };
        let steps = plan(&alone, &World { found: vec![now.clone()] }, None, &options)?.steps;
        for step in steps {
            match step.action {
                Action::Update { changes, inputs, .. } => {
                    return Ok(Some((inputs, Changed(changes.into_iter().map(|change| change.field).collect()))));
                }
                Action::Create { replaces: Some(replaces), .. } => {
                    let fields = replaces.changes.into_iter().filter(|change| change.forces_replacement);
                    let fields = fields.map(|change| change.field).collect();
                    return Err(RestoreError::Differs { instance: now.physical.clone(), fields }.into());
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn say(&self, text: &str) {
        (self.request.on_progress)(text);
    }
}

/// An error that the next look may show to be none, or that passes.
fn passing(sent: Result<(), CallError>) -> Result<(), RestoreError> {
    let passes = [Class::Ambiguous, Class::Busy, Class::NotYetVisible, Class::Exists, Class::Throttled, Class::Missing];
    match sent {
        Err(error) if !passes.contains(&error.class) => Err(error.into()),
        _ => Ok(()),
    }
}

/// A moment as part of a name: `20260105-090000`.
fn stamp(at: &str) -> String {
    let digits: String = at.chars().filter(char::is_ascii_digit).take(14).collect();
    let (day, time) = digits.split_at(digits.len().min(8));
    format!("{day}-{time}").trim_matches('-').to_owned()
}
