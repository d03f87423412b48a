//! The domain name system of a world in which the sandbox is AWS.

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use wharf_sandbox::Sandbox;

use crate::aws::route53::delegation::Names;

impl Names for Sandbox {
    fn servers_of<'a>(&'a self, domain: &'a str) -> LocalBoxFuture<'a, Result<Vec<String>, String>> {
        let servers = self.name_servers(domain);
        async move { Ok(servers) }.boxed_local()
    }
}
