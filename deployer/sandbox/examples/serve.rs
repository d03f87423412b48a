//! Serves an empty account on a port, for trying it with the AWS CLI or boto3:
//! `cargo run -p wharf-sandbox --example serve -- 127.0.0.1:4599 [calm]`.

use wharf_sandbox::{Sandbox, Weather, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:4599".to_owned());
    let weather = if arguments.next().as_deref() == Some("calm") { Weather::calm() } else { Weather::typical() };
    let sandbox = Sandbox::builder().seed(1).weather(weather).build();
    serve(sandbox, tokio::net::TcpListener::bind(address).await?).await?;
    Ok(())
}
