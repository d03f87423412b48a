//! The seam to the AWS SDK: an HTTP client whose requests go to the account instead of the network.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::clock::Pace;
use crate::dispatch::Delivery;
use crate::sandbox::Sandbox;
use crate::wire::{Request, Response};

/// An HTTP client for the AWS SDK that answers from a [`Sandbox`].
#[derive(Clone, Debug)]
pub struct SandboxHttpClient {
    sandbox: Sandbox,
}

impl SandboxHttpClient {
    pub(crate) fn new(sandbox: Sandbox) -> Self {
        Self { sandbox }
    }
}

impl HttpClient for SandboxHttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SandboxHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sandbox = self.sandbox.clone();
        HttpConnectorFuture::new(async move {
            let request = understood(request)?;
            match sandbox.answer(&request, Pace::Slept).await {
                Delivery::Answer(response) => answered(response),
                Delivery::NeverArrived => {
                    Err(ConnectorError::io("connection refused before the request was sent".into()))
                }
                Delivery::ReplyLost => {
                    Err(ConnectorError::io("connection reset while waiting for the response".into()))
                }
            }
        })
    }
}

fn understood(request: HttpRequest) -> Result<Request, ConnectorError> {
    let body = request
        .body()
        .bytes()
        .ok_or_else(|| ConnectorError::user("the sandbox takes no streaming request bodies".into()))?
        .to_vec();
    let headers = request.headers().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let uri: http::Uri =
        request.uri().parse().map_err(|error: http::uri::InvalidUri| ConnectorError::user(error.into()))?;
    Ok(Request {
        method: request.method().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    })
}

fn answered(response: Response) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(response.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut answer = HttpResponse::new(status, SdkBody::from(response.body));
    for (name, value) in response.headers {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}
