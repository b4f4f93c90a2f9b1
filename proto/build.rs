use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

/// Messages that carry a secret get no derived `Debug`: `src/lib.rs` writes a redacted one.
const SECRET_MESSAGES: &[&str] = &[
    "sfvault.v1.AddRecordRequest",
    "sfvault.v1.BeginLoginRequest",
    "sfvault.v1.BeginLoginResponse",
    "sfvault.v1.ClientCredentialsCredential",
    "sfvault.v1.FinishLoginRequest",
    "sfvault.v1.GetSessionResponse",
    "sfvault.v1.InitializeVaultRequest",
    "sfvault.v1.ReadAuditRequest",
    "sfvault.v1.JwtBearerCredential",
    "sfvault.v1.MigrateRecordRequest",
    "sfvault.v1.RefreshTokenCredential",
    "sfvault.v1.RevealGeneratedPasswordResponse",
    "sfvault.v1.RotateCredentialRequest",
    "sfvault.v1.SetCredentialRequest",
    "sfvault.v1.SoapLoginCredential",
    "sfvault.v1.UnlockVaultRequest",
    "sfvault.v1.UsernamePasswordCredential",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=sfvault");
    let files = protox::compile(
        [
            "sfvault/v1/reason.proto",
            "sfvault/v1/sessions.proto",
            "sfvault/v1/records.proto",
            "sfvault/v1/control.proto",
            "sfvault/v1/audit.proto",
            "sfvault/v1/doctor.proto",
        ],
        ["."],
    )?;
    let descriptor = PathBuf::from(env::var("OUT_DIR")?).join("sfvault.v1.bin");
    fs::write(descriptor, files.encode_to_vec())?;
    let mut config = tonic_prost_build::Config::new();
    config.skip_debug(SECRET_MESSAGES);
    tonic_prost_build::configure()
        .codec_path("crate::codec::Snug")
        .compile_fds_with_config(files, config)?;
    Ok(())
}
