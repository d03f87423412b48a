//! The way to AWS from within Lambda: credentials and region out of the environment, TLS, timeouts and retries.
//!
//! By hand rather than by `aws-config`, whose chain of profiles, SSO and instance roles has no use here and would be
//! most of the function.

use std::sync::OnceLock;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::environment::{Environment, SettingError};

/// One endpoint for all services, and one for a service before it.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// A connection that is not there within this will not be there soon.
const CONNECT: Duration = Duration::from_secs(2);
/// One attempt of a call.
const ATTEMPT: Duration = Duration::from_secs(8);
/// A call with all of its attempts, and the waits between them.
const OPERATION: Duration = Duration::from_secs(25);
/// The first attempt, and those after a throttle or a fault of AWS's.
const ATTEMPTS: u32 = 5;

impl Environment {
    /// How AWS is reached, for the SDK's clients. Nothing is opened or read yet.
    ///
    /// # Errors
    /// The region, or the credentials of the function's role, are not set.
    pub fn aws(&self) -> Result<SdkConfig, SettingError> {
        let credentials = Credentials::new(
            self.required("AWS_ACCESS_KEY_ID")?,
            self.required("AWS_SECRET_ACCESS_KEY")?,
            self.get("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "function's environment",
        );
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.required("AWS_REGION")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Lazy::default())
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .service_config(Endpoints(self.clone()));
        config.set_endpoint_url(self.get(ENDPOINT).map(str::to_owned));
        Ok(config.build())
    }
}

/// The endpoints of single services.
#[derive(Debug)]
struct Endpoints(Environment);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        self.0.get(&format!("{}_{service}", key.env())).map(str::to_owned)
    }
}

/// The HTTPS client. The SDK's own reads the machine's root certificates as soon as a service's client is made, which
/// would be before Lambda is asked for the first invocation; this one waits for the first call.
///
/// Its cryptography is ring's. A cold start pays for the first connection of a process: until rustls 0.23 has its client
/// hello, 0.1 ms with ring and 28 ms with aws-lc, which gathers entropy from timing jitter first (medians of five, release
/// build, x86_64).
#[derive(Debug, Default)]
struct Lazy(OnceLock<SharedHttpClient>);

impl HttpClient for Lazy {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let client =
            self.0.get_or_init(|| Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https());
        client.http_connector(settings, components)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: [(&str, &str); 3] =
        [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];

    fn with(more: &[(&str, &str)]) -> Environment {
        Environment::of(CREDENTIALS.iter().chain(more).copied())
    }

    fn endpoint(config: &SdkConfig, service: &str) -> Option<String> {
        let key = ServiceConfigKey::builder().service_id(service).env(ENDPOINT).profile("endpoint_url").build();
        config.service_config().unwrap().load_config(key.unwrap())
    }

    #[test]
    fn an_endpoint_for_a_service_comes_before_that_for_all() {
        let more = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_ROUTE_53", "http://dns")];
        let config = with(&more).aws().unwrap();
        assert_eq!(config.endpoint_url(), Some("http://all"));
        assert_eq!(endpoint(&config, "Route 53").as_deref(), Some("http://dns"));
        assert_eq!(endpoint(&config, "SQS"), None);
    }

    #[test]
    fn a_function_without_credentials_or_region_says_so() {
        for (name, _) in CREDENTIALS {
            let rest = CREDENTIALS.iter().filter(|(other, _)| *other != name).copied();
            let error = Environment::of(rest).aws().unwrap_err();
            assert_eq!(error.to_string(), format!("{name} is not set"));
        }
    }

    #[test]
    fn retries_are_the_sdks_standard_ones() {
        let config = with(&[]).aws().unwrap();
        assert_eq!(config.retry_config(), Some(&RetryConfig::standard().with_max_attempts(ATTEMPTS)));
        assert_eq!(config.timeout_config().and_then(TimeoutConfig::operation_attempt_timeout), Some(ATTEMPT));
    }

    #[test]
    fn a_client_for_a_service_sets_no_tls_up() {
        let client = SharedHttpClient::new(Lazy::default());
        let config = with(&[]).aws().unwrap().into_builder().http_client(client.clone()).build();
        let _client = aws_sdk_dynamodb::Client::new(&config);
        let shown = format!("{client:?}");
        assert!(shown.contains("Lazy(OnceLock(<uninit>))"), "{shown}");
    }
}
