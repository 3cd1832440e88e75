/** A key and a certificate for localhost and 127.0.0.1, made for tests. Nobody trusts them. */
export const tlsFixture: { readonly key: string; readonly cert: string } = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwwQN087umGpQZNUt
1/m1D6/1uprOr67265gAiPullk2hRANCAARh1vcIk95vkBk9Lwa/oYSI5dXClipB
Jg7rnVO1smZ2gLFKDDh03vP+Z41kCxNeh1/1h9tTM1PtBWDuILSM+y6d
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIURjJPBakFyGS5vsI2zMrS2QPVowYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzA5Mzc0NloYDzIxMjYxMTAz
MDkzNzQ2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARh1vcIk95vkBk9Lwa/oYSI5dXClipBJg7rnVO1smZ2gLFKDDh03vP+
Z41kCxNeh1/1h9tTM1PtBWDuILSM+y6do28wbTAdBgNVHQ4EFgQUW/TcLLYfG6iX
iNAri9k3syciS+cwHwYDVR0jBBgwFoAUW/TcLLYfG6iXiNAri9k3syciS+cwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgAej9gXgclFLaEgRCcGSQmI2qV1huOlRpttmm0m1pkP0CIQD3
uwp8tx0ELGBWrVsVzlQ4yY2j2rmIAB416M/6wiua8g==
-----END CERTIFICATE-----
`,
};
