//! Serves an empty account on a port, for trying it with the AWS CLI or boto3:
//! `cargo run -p wharf-sandbox --example serve -- 127.0.0.1:4599 [calm] [speed]`.

use wharf_sandbox::{Sandbox, SimClock, Weather, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:4599".to_owned());
    let weather = if arguments.next().as_deref() == Some("calm") { Weather::calm() } else { Weather::typical() };
    let speed: f64 = arguments.next().map_or(Ok(1.0), |text| text.parse())?;
    let clock = SimClock::new("2026-01-05T09:00:00Z".parse()?).at_speed(speed);
    let sandbox = Sandbox::builder().seed(1).weather(weather).clock(clock).build();
    serve(sandbox, tokio::net::TcpListener::bind(address).await?).await?;
    Ok(())
}
