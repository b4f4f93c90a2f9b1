//! How messages become bytes: tonic's protobuf, with buffers of the size of our messages.
//!
//! tonic takes 8 KiB for each request and each answer, and the daemon wipes whatever it gives back.

use std::marker::PhantomData;

use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
};
use tonic_prost::{ProstCodec, ProstDecoder};

/// Most messages are shorter; a longer one gets what it needs.
const USUAL: usize = 1 << 10;
/// tonic's own: from so many bytes on, a stream is sent before its next message.
const SENT_FROM: usize = 32 << 10;

/// The codec of all our services.
pub(crate) struct Snug<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Snug<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Snug<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Whole<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Whole<T> {
        Whole(PhantomData)
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstCodec::<T, U>::raw_decoder(settings())
    }
}

fn settings() -> BufferSettings {
    BufferSettings::new(USUAL, SENT_FROM)
}

/// Makes room for all of a message before its first byte: a buffer that grows under way leaves a copy of what it held,
/// secrets too.
pub(crate) struct Whole<T>(PhantomData<T>);

impl<T: Message> Encoder for Whole<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.encoded_len());
        message
            .encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        settings()
    }
}
