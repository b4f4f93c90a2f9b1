//! gRPC over a given connection, with no client of ours: any method by its path, with an empty message.

use std::{os::unix::net::UnixStream, thread};

use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost_types::FileDescriptorSet;
use sfvault_proto::v1::FILE_DESCRIPTOR_SET;
use tonic::{
    Request, Status,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

/// Calls these methods one after the other; the connection is closed when this returns.
pub(crate) fn calls(stream: UnixStream, methods: &[String]) -> Vec<Result<(), Status>> {
    let work = || async move {
        let channel = channel(stream).await;
        let mut answers = Vec::new();
        for method in methods {
            answers.push(one(&channel, method).await);
        }
        answers
    };
    // A runtime of its own takes all that it runs with it, while a test's would wait with closing until the test waits.
    let runtime = tokio::runtime::Builder::new_current_thread();
    thread::scope(|scope| {
        let call = scope.spawn(|| { runtime }.enable_all().build().unwrap().block_on(work()));
        call.join().unwrap()
    })
}

/// Calls one method.
pub(crate) fn call(stream: UnixStream, method: &str) -> Result<(), Status> {
    calls(stream, &[method.to_owned()]).remove(0)
}

pub(crate) async fn channel(stream: UnixStream) -> Channel {
    stream.set_nonblocking(true).unwrap();
    let mut stream = Some(tokio::net::UnixStream::from_std(stream).unwrap());
    let connector = tower::service_fn(move |_: http::Uri| {
        let stream = stream.take();
        async move {
            let gone = || std::io::Error::other("the one connection is gone");
            stream.map(TokioIo::new).ok_or_else(gone)
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint.connect_with_connector(connector).await.unwrap()
}

async fn one(channel: &Channel, method: &str) -> Result<(), Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = PathAndQuery::try_from(method).unwrap();
    let codec = ProstCodec::<(), ()>::default();
    client.unary(Request::new(()), path, codec).await.map(drop)
}

/// The reason that sfvaultd gave.
pub(crate) fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info()?;
    (info.domain == sfvault_proto::v1::ERROR_DOMAIN).then_some(info.reason)
}

/// The path of every method that sfvaultd serves, read from its own descriptors, and of those that gRPC tools use.
pub(crate) fn methods() -> Vec<String> {
    let files = <FileDescriptorSet as prost::Message>::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut methods = Vec::new();
    for file in &files.file {
        for service in &file.service {
            for method in &service.method {
                let (package, service) = (file.package(), service.name());
                methods.push(format!("/{package}.{service}/{}", method.name()));
            }
        }
    }
    assert!(methods.len() >= 11, "{methods:?}");
    methods.extend(
        [
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/no.such.Service/Method",
        ]
        .map(str::to_owned),
    );
    methods
}
