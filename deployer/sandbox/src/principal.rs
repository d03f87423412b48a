//! Who calls. An access key that was given out for a role's session stands for that role; every other key stands for
//! the deployer.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use serde_json::json;

use crate::account::{Account, Ctx};
use crate::store::Resource;

const SESSION: &str = "sts.session";

/// Who makes a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Who stands the platform up: what the account's policy lets them do, or everything.
    #[default]
    Deployer,
    /// A role that a service has assumed: what the role's own policies let it do.
    Session {
        /// The role's name.
        role: String,
        /// The role's path and name, as in its ARN.
        path: String,
        /// The session's name, such as that of a function.
        name: String,
        /// The role's unique id, which stays that of the role when another one takes its name.
        id: String,
    },
}

impl Principal {
    /// Whom an access key stands for.
    pub(crate) fn of(account: &Account, key: &str) -> Self {
        let Some(session) = account.store.get(SESSION, key) else { return Self::Deployer };
        let text = |name: &str| session.text(name).to_owned();
        Self::Session { role: text("role"), path: text("path"), name: text("name"), id: text("id") }
    }

    /// As `GetCallerIdentity` names it.
    pub(crate) fn arn(&self, account: &Account) -> String {
        match self {
            Self::Deployer => account.caller(),
            Self::Session { role, name, .. } => format!("arn:aws:sts::{}:assumed-role/{role}/{name}", account.id),
        }
    }

    /// The unique id of it.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable>
    pub(crate) fn user_id(&self) -> String {
        match self {
            Self::Deployer => "AIDASANDBOXDEPLOYER00".to_owned(),
            Self::Session { name, id, .. } => format!("{id}:{name}"),
        }
    }

    /// What policies kept with a resource may call it: a session is spoken to as its role too.
    pub(crate) fn names(&self, account: &Account) -> Vec<String> {
        let role = match self {
            Self::Deployer => None,
            Self::Session { path, .. } => Some(format!("arn:aws:iam::{}:role{path}", account.id)),
        };
        [self.arn(account)].into_iter().chain(role).collect()
    }
}

fn session(role: &Resource, name: &str) -> Principal {
    Principal::Session {
        role: role.id.clone(),
        path: format!("{}{}", role.text("Path"), role.id),
        name: name.to_owned(),
        id: role.text("RoleId").to_owned(),
    }
}

/// Does something as a role, as a service does that has assumed it for somebody: what it demands is demanded of the
/// role, not of the caller.
pub(crate) fn acting<T>(ctx: &mut Ctx<'_>, role: &Resource, name: &str, work: impl FnOnce(&mut Ctx<'_>) -> T) -> T {
    let caller = std::mem::replace(&mut ctx.principal, session(role, name));
    let granted = std::mem::take(&mut ctx.granted);
    let done = work(ctx);
    (ctx.principal, ctx.granted) = (caller, granted);
    done
}

/// Credentials of a role's session.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) token: String,
}

/// Lets a service assume a role: the credentials of the session, which here do not expire.
pub(crate) fn assume(ctx: &mut Ctx<'_>, role: &Resource, session: &str) -> Credentials {
    let access_key = format!("ASIA{}", ctx.account.rng.hex(16).to_uppercase());
    let known = json!({
        // Nobody finds a session in a list.
        "_gone": true,
        "role": role.id, "path": format!("{}{}", role.text("Path"), role.id), "name": session, "id": role.text("RoleId"),
    });
    let known = ctx.resource(SESSION, access_key.clone(), known);
    ctx.insert(known);
    Credentials { access_key, secret_key: ctx.account.rng.hex(40), token: ctx.account.rng.hex(64) }
}
