//! The acts: up, nothing to do, what the functions do, a change, a drift mended, down.

use std::time::Duration;

use wharf_engine::{AllowDestroy, Options, Stack, Value};

use super::Tour;
use crate::aws::Aws;
use crate::operations::Planned;
use crate::report::{Failure, plan as shown};

/// After so long EC2 tells everybody of a change.
const SEEN: Duration = Duration::from_secs(30);

impl Tour<'_> {
    /// All acts, in order.
    ///
    /// # Errors
    /// The first thing that is not as it should be.
    pub(crate) async fn run(mut self) -> Result<Self, Failure> {
        let about = format!(
            "stack {} of {}, in a simulated AWS account: nothing here leaves this machine",
            self.config.stack.name, self.file
        );
        self.printer.note(about);
        let mut world = self.begin_world().await?;
        self.up().await?;
        self.nothing_to_do().await?;
        self.story(&mut world).await?;
        self.change().await?;
        self.drift().await?;
        self.down().await?;
        self.printer.note("");
        let paint = self.printer.out;
        self.printer
            .result(paint.green("stood up, used, changed, mended, torn down: nothing is left"))
            .map_err(|_| Failure::ours("nobody reads any more"))?;
        Ok(self)
    }

    async fn up(&mut self) -> Result<(), Failure> {
        let mut act = self.open_act("stand the stack up");
        let session = self.session().await?;
        let stack = self.stack(&session)?;
        self.plan(&mut act, &session).await?;
        self.apply(&mut act, &session, &stack, &Options::default(), "apply").await?;
        self.close_act(act);
        Ok(())
    }

    async fn nothing_to_do(&mut self) -> Result<(), Failure> {
        let mut act = self.open_act("plan again");
        let session = self.session().await?;
        let planned = self.plan(&mut act, &session).await?;
        self.must_be_empty(&planned)?;
        self.close_act(act);
        Ok(())
    }

    pub(super) fn must_be_empty(&self, planned: &Planned) -> Result<(), Failure> {
        let steps: Vec<&str> = planned.plan.steps.iter().map(|step| step.id.as_str()).collect();
        if steps.is_empty() { Ok(()) } else { Err(self.wrong(format!("still to do: {}", steps.join(", ")))) }
    }

    async fn change(&mut self) -> Result<(), Failure> {
        let setting = self.change_a_setting();
        let mut act = self.open_act(&format!("change one setting: {setting}"));
        let session = self.session().await?;
        let stack = self.stack(&session)?;
        self.plan(&mut act, &session).await?;
        self.apply(&mut act, &session, &stack, &Options::default(), "apply").await?;
        self.close_act(act);
        Ok(())
    }

    /// Changes the backups' age, or what there is without a database; answers what was changed.
    fn change_a_setting(&mut self) -> String {
        match &mut self.config.database {
            Some(database) => {
                let before = database.backup_days;
                database.backup_days = if before == 7 { 14 } else { 7 };
                format!("database.backup_days = {before} becomes {}", database.backup_days)
            }
            None => {
                let flow_logs = &mut self.config.network.flow_log_days;
                let before = *flow_logs;
                *flow_logs = if before == 7 { 14 } else { 7 };
                format!("network.flow_log_days = {before} becomes {flow_logs}")
            }
        }
    }

    async fn drift(&mut self) -> Result<(), Failure> {
        let mut act = self.open_act("somebody opens the database's port to the world, by hand");
        let session = self.session().await?;
        let stack = self.stack(&session)?;
        let group = self.security_group(&session.plan(&stack, &Options::default()).await?)?;
        let port = self.config.database.as_ref().map_or(5432, |database| i32::from(database.port));
        self.open_to_the_world(&session.aws, &group, port).await?;
        // EC2's reads can be older than a write that was answered seconds ago.
        tokio::time::sleep(SEEN).await;
        let drift = session.drift(&stack, &Options::default()).await?;
        self.say(&mut act, |paint| shown::drift(&drift, paint));
        if drift.iter().map(|drift| drift.id.as_str()).ne([self.opened()]) {
            return Err(self.wrong("the drift is not what was done"));
        }
        self.plan(&mut act, &session).await?;
        self.apply(&mut act, &session, &stack, &Options::default(), "apply").await?;
        let drift = session.drift(&stack, &Options::default()).await?;
        self.say(&mut act, |paint| shown::drift(&drift, paint));
        if !drift.is_empty() {
            return Err(self.wrong("the drift is still there"));
        }
        self.close_act(act);
        Ok(())
    }

    /// What somebody does at the console: a rule that lets everybody in.
    async fn open_to_the_world(&self, aws: &Aws, group: &str, port: i32) -> Result<(), Failure> {
        use aws_sdk_ec2::types::{IpPermission, IpRange};
        let world = IpRange::builder().cidr_ip("0.0.0.0/0").description("just for a moment").build();
        let rule = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port).ip_ranges(world).build();
        let send = || aws.ec2.authorize_security_group_ingress().group_id(group).ip_permissions(rule.clone()).send();
        self.insisting(async || match aws.call("ec2:AuthorizeSecurityGroupIngress", group, send).await {
            // A try whose reply was lost has done it.
            Err(error) if error.code.as_deref() == Some("InvalidPermission.Duplicate") => Ok(()),
            answer => answer.map(drop),
        })
        .await
    }

    /// The security group that somebody opens behind Wharf's back.
    fn opened(&self) -> &'static str {
        match self.config.database {
            Some(_) => "network.database-security-group",
            None => "network.tasks-security-group",
        }
    }

    fn security_group(&self, planned: &Planned) -> Result<String, Failure> {
        let wanted = self.opened();
        let group = planned.world.found.iter().find(|found| found.id.as_str() == wanted);
        let id = group.and_then(|group| group.outputs.get("id")).and_then(Value::as_text);
        id.ok_or_else(|| self.wrong(format!("{wanted} is not there")))
    }

    /// What is in the account that was not there at the beginning.
    fn since_then(&self) -> Vec<wharf_sandbox::Resource> {
        let before = |one: &wharf_sandbox::Resource| self.before.contains(&(one.kind.to_owned(), one.id.clone()));
        self.sandbox.inventory().into_iter().filter(|one| !before(one)).collect()
    }

    async fn down(&mut self) -> Result<(), Failure> {
        let mut act = self.open_act("tear everything down");
        let session = self.session().await?.without_final_snapshots();
        let options = Options { allow_destroy: AllowDestroy::All, ..Options::default() };
        let nothing = Stack::default();
        self.apply(&mut act, &session, &nothing, &options, "destroy").await?;
        let (stays, left): (Vec<_>, Vec<_>) =
            self.since_then().into_iter().partition(|left| stays_because(left).is_some());
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(|left| format!("{} {}", left.kind, left.id)).collect();
            return Err(self.wrong(format!("left in the account: {}", names.join(", "))));
        }
        self.say(&mut act, |paint| paint.green("nothing of the stack is left in the account"));
        for left in &stays {
            let why = stays_because(left).unwrap_or_default();
            self.say(&mut act, |paint| format!("  {} {} {}: {why}", paint.cyan("="), left.kind, left.id));
        }
        self.close_act(act);
        Ok(())
    }
}

/// What AWS itself keeps in an account that had a stack, and why that is no leftover.
fn stays_because(left: &wharf_sandbox::Resource) -> Option<&'static str> {
    match left.kind {
        "iam.role" if left.id.starts_with("AWSServiceRoleFor") => {
            Some("AWS's own role for a service, which all that the account has shares")
        }
        "kms.key" if left.attrs.get("KeyState").is_some_and(|state| state == "PendingDeletion") => {
            Some("AWS deletes a key no sooner than after seven days; until then it can be had back")
        }
        "logs.group" if left.id == "RDSOSMetrics" => {
            Some("AWS's own log group of enhanced monitoring, which all databases of the account share")
        }
        _ => None,
    }
}
