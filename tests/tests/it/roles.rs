//! What the functions' roles allow, held against what the functions do: no call is refused, and nothing that is allowed
//! could be taken away without somebody noticing. What is allowed is read in the account, as an apply has written it
//! there, so that an action that nobody needs fails here too.

mod alarms;
mod host;
mod rollouts;
mod snapshots;

use aws_sdk_ssm::types::ParameterType;
use jiff::Timestamp;
use serde_json::{Value, json};
use wharf::config::Config;
use wharf::operations::Session;
use wharf_sandbox::{Ending, Slack};
use wharf_tests::stack::{World, whole_config};

const SECRET: &str = "/shop/slack/token";

/// The whole platform of the user's stack file, and a Slack beside it.
struct Stage {
    world: World,
    slack: Slack,
    /// When its forks begin, however long others of them have taken.
    moment: Timestamp,
}

/// One action of one statement of a role's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    statement: usize,
    action: String,
}

/// A function, and the stories in which it needs what its role allows.
trait Subject {
    /// What can happen.
    type Story: Copy + std::fmt::Debug + 'static;
    /// The function's name, after that of its stack.
    const FUNCTION: &'static str;
    /// All of it.
    const STORIES: &'static [Self::Story];

    /// Lets a story happen, and says what somebody outside sees of it.
    async fn seen(stage: &Stage, story: Self::Story) -> Vec<String>;
}

impl Stage {
    /// In calm weather: a call that is refused has no other reason than the role.
    async fn new(seed: u64) -> Self {
        Self::with(seed, whole_config()).await
    }

    /// The same, of another stack file.
    async fn with(seed: u64, mut config: Config) -> Self {
        let slack = config.alerts.as_mut().and_then(|alerts| alerts.slack.as_mut()).expect("Slack is told");
        (slack.secret, slack.channel) = (SECRET.to_owned(), Some(Slack::CHANNEL.to_owned()));
        let stage = Self::of(World::calm(seed, config));
        let applied = Box::pin(stage.world.apply()).await.expect("it is applied");
        assert!(applied.complete(), "{:?}", applied.runs.last().map(|(_, outcome)| outcome));
        stage.keep_secret().await;
        stage
    }

    fn of(world: World) -> Self {
        Self { slack: Slack::beside(&world.sandbox), moment: world.sandbox.now(), world }
    }

    /// The same from this moment on.
    fn now(self) -> Self {
        Self::of(self.world)
    }

    /// Another account in the same state, which goes its own way from its moment.
    fn fork(&self) -> Self {
        Self::of(self.world.fork_at(self.moment))
    }

    async fn session(&self) -> Session {
        Box::pin(self.world.session("somebody")).await.expect("it is answered")
    }

    /// The secret is encrypted with a key of its owner's: by AWS's own key everybody may decrypt.
    async fn keep_secret(&self) {
        let aws = self.session().await.aws;
        let key = aws.kms.create_key().send().await.expect("a key").key_metadata.expect("it is described").key_id;
        let put = aws.ssm.put_parameter().name(SECRET).value(self.slack.token()).key_id(key);
        put.r#type(ParameterType::SecureString).send().await.expect("it is kept");
    }

    fn role(function: &str) -> String {
        format!("shop-{function}")
    }

    /// The statements of a function's role.
    fn statements(&self, function: &str) -> (String, Vec<Value>) {
        let role = self.world.sandbox.resource("iam.role", &Self::role(function)).expect("it has a role");
        let policies = role.attrs["_inline"].as_object().expect("it has policies");
        let [(name, text)] = policies.iter().collect::<Vec<_>>()[..] else { panic!("several policies") };
        let document: Value = serde_json::from_str(text.as_str().expect("a text")).expect("a document is JSON");
        (name.clone(), document["Statement"].as_array().expect("statements").clone())
    }

    /// All that a function's role allows.
    fn allowed(&self, function: &str) -> Vec<Allowed> {
        let (_, statements) = self.statements(function);
        let of = |(statement, one): (usize, &Value)| {
            let actions: Vec<Allowed> = actions(one).into_iter().map(|action| Allowed { statement, action }).collect();
            assert!(
                actions.iter().all(|one| !one.action.contains('*')),
                "whatever {actions:?} is, it is not the least"
            );
            actions
        };
        statements.iter().enumerate().flat_map(of).collect()
    }

    /// Takes something away from a function's role.
    fn take_away(&self, function: &str, taken: &Allowed) {
        let (name, mut statements) = self.statements(function);
        let mut left = actions(&statements[taken.statement]);
        left.retain(|action| *action != taken.action);
        if left.is_empty() {
            statements.remove(taken.statement);
        } else {
            statements[taken.statement]["Action"] = json!(left);
        }
        let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let change = self.world.sandbox.edit("iam.role", &Self::role(function), |attrs, _| {
            attrs["_inline"][&name] = document.into();
        });
        change.expect("the role is there");
    }

    /// The calls that a function was refused for want of a permission.
    fn refused(&self, function: &str) -> Vec<String> {
        let words = ["Denied", "Unauthorized", "NotAuthorized", "AuthorizationError"];
        let denied =
            |ending: &Ending| matches!(ending, Ending::Refused(code) if words.iter().any(|word| code.contains(word)));
        let principal = format!("assumed-role/{}/", Self::role(function));
        let log = self.world.sandbox.call_log();
        let refused = log.iter().filter(|call| call.principal.contains(&principal) && denied(&call.ending));
        refused.map(|call| format!("{call:?}")).collect()
    }

    /// How many lines stand in a function's log group that were written since this stage began: each environment has a
    /// stream of its own.
    fn log_lines(&self, function: &str) -> usize {
        let group = format!("/aws/lambda/{}", Self::role(function));
        let streams = self.world.sandbox.of_kind("logs.stream").into_iter();
        let own = streams.filter(|stream| stream.text("_group") == group && stream.created >= self.moment);
        own.map(|stream| stream.items("_events").len()).sum()
    }

    /// What was published on a topic.
    fn published(&self, topic: &str) -> Vec<Value> {
        let published = self.world.sandbox.published().into_iter().filter(|one| one.topic.ends_with(topic));
        published.map(|one| serde_json::from_str(&one.message).unwrap_or(one.message.into())).collect()
    }
}

fn actions(statement: &Value) -> Vec<String> {
    let text = |one: &Value| one.as_str().expect("an action is a text").to_owned();
    match &statement["Action"] {
        Value::Array(actions) => actions.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

/// A text without the words that differ from one time to the next: those that have a digit in them.
fn words(text: &str) -> String {
    let same = |word: &&str| !word.bytes().any(|byte| byte.is_ascii_digit());
    text.split_whitespace().filter(same).collect::<Vec<_>>().join(" ")
}

/// Lets each story happen as it is, twice, in which nothing may be refused and the same be seen; then without each thing
/// that the role allows, which has to be seen in one story at least.
async fn held_against<S: Subject>(stage: &Stage) {
    let mut usual = Vec::new();
    for story in S::STORIES {
        let (one, other) = (stage.fork(), stage.fork());
        let seen = Box::pin(S::seen(&one, *story)).await;
        assert_eq!(one.refused(S::FUNCTION), [""; 0], "{story:?}");
        assert_eq!(seen, Box::pin(S::seen(&other, *story)).await, "{story:?} again");
        usual.push(seen);
    }
    let allowed = stage.allowed(S::FUNCTION);
    assert!(allowed.len() > 5, "{allowed:?}");
    let mut unneeded = Vec::new();
    for taken in allowed {
        let mut missed = false;
        for (story, usual) in S::STORIES.iter().zip(&usual) {
            let lacking = stage.fork();
            lacking.take_away(S::FUNCTION, &taken);
            let seen = Box::pin(S::seen(&lacking, *story)).await;
            // What is refused fails the story as it is, even where the function finds another way.
            missed = seen != *usual || !lacking.refused(S::FUNCTION).is_empty();
            if missed {
                break;
            }
        }
        if !missed {
            unneeded.push(taken);
        }
    }
    assert_eq!(unneeded, [], "could be taken away, and nobody would notice");
}
