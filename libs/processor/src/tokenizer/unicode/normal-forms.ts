import { characterClass } from './character-class.ts';

/*
 * Normal forms of Unicode 9.0, the version of the Rust library (tokenizers 0.23.2). Token ids depend on them, while the
 * tables of `String.prototype.normalize` and of `\p{…}` grow with each version of Node.js. Determined over all code
 * points.
 */

/**
 * Characters that Unicode 9.0 lacks: they have neither a decomposition nor a combining class. The ranges are joined
 * across characters that no normal form of any version changes.
 */
const NEWER: RegExp = characterClass(
  '378-379 380-383 38b 38d 3a2 530-560 588-590 5c8-5cf 5eb-5ef 5f5-5ff 61d 70e 74b-7bf 7fb-7ff 82e-83f ' +
    '85c-8d3 984-992 9a9 9b1-9bb 9c5-9c6 9c9-9ca 9cf-9d6 9d8-9db 9de 9e4-a12 a29 a31 a34 a37 a3a-a3b a3d-a4a ' +
    'a4e-a58 a5d a5f-abb ac6-aca ace-b12 b29-b3b b45-b46 b49-b4a b4e-b55 b58-b5b b5e-b91 b96-bbd bc3-bc5 bc9 ' +
    'bce-bd6 bd8-c45 c49 c4e-c54 c57-cbb cc5 cc9 cce-cd4 cd7-d3c d45 d49 d50-d53 d64-dc9 dcb-dce dd5-dd7 ' +
    'de0-e00 e3b-e3e e5c-eac eba-ec7 ece-edb ee0-eff f48 f6d-f70 f98 fbd fcd-fff 10c6-10cf 1249-135c 137d-170d ' +
    '1715-171f 1737-177f 17de-187f 18ab-192f 193c-19dd 1a1c-1a5f 1a7d-1a7e 1a8a-1aaf 1abf-1aff 1b4c-1b4f ' +
    '1b7d-1b7f 1bf4-1bfb 1c38-1ccf 1cf7 1cfa-1cff 1df6-1dfa 1f16-1f17 1f1e-1f1f 1f46-1f47 1f4e-1f4f 1f58 1f5a ' +
    '1f5c 1f5e 1f7e-1f7f 1fb5 1fc5 1fd4-1fd5 1fdc 1ff0-1ff1 1ff5 1fff 2065 2072-2073 208f 209d-209f 20bf-20cf ' +
    '20f1-20ff 218c-218f 23ff-245f 2b74-2c5f 2cf4-2d6e 2d71-2d7e 2d97-2ddf 2e45-2e9a 2ef4-2eff 2fd6-2fff 3040 ' +
    '3097-3098 3100-3130 318f 31bb-31ef 321f 32ff 4db6-4dbf 9fd6-a63f a6f8-a6ff a7af-a7f6 a82c-a87f a8c6-a8df ' +
    'a8fe-a8ff a954-a97f a9ce-aa5b aac3-aada aaf7-ab2f ab66-ab6f abee-abff d7a4-d7ff fa6e-fa6f fada-faff ' +
    'fb07-fb12 fb18-fb1c fb37 fb3d fb3f fb42 fb45 fbc2-fbd2 fd40-fd4f fd90-fd91 fdc8-fdcf fdfe-fdff fe1a-fe1f ' +
    'fe53 fe67 fe6c-fe6f fe75 fefd-ff00 ffbf-ffc1 ffc8-ffc9 ffd0-ffd1 ffd8-ffd9 ffdd-ffdf ffe7 ffef-101cf ' +
    '101fe-102df 102fc-1034f 1037b-10a0b 10a14-10a37 10a3b-10a3e 10a48-10abf 10ae7-10fff 1104e-1107e ' +
    '110c2-110ff 11135-1114f 11177-1117f 111ce-11212 1123f-112af 112eb-1133b 11345-11346 11349-1134a ' +
    '1134e-11356 11358-11365 1136d-1136f 11375-113ff 1145a-1147f 114c8-1157f 115b6-115b7 115de-115ff ' +
    '11645-1167f 116b8-1171c 1172c-11c37 11c46-16aef 16af6-16aff 16b46-1bc9b 1bca4-1d128 1d1e9-1d1ff ' +
    '1d246-1d3ff 1d455 1d49d 1d4a0-1d4a1 1d4a3-1d4a4 1d4a7-1d4a8 1d4ad 1d4ba 1d4bc 1d4c4 1d506 1d50b-1d50c ' +
    '1d515 1d51d 1d53a 1d53f 1d545 1d547-1d549 1d551 1d6a6-1d6a7 1d7cc-1d7cd 1da8c-1dfff 1e007 1e019-1e01a ' +
    '1e022 1e025 1e02b-1e8c6 1e8d7-1e8ff 1e94b-1edff 1ee04 1ee20 1ee23 1ee25-1ee26 1ee28 1ee33 1ee38 1ee3a ' +
    '1ee3c-1ee41 1ee43-1ee46 1ee48 1ee4a 1ee4c 1ee50 1ee53 1ee55-1ee56 1ee58 1ee5a 1ee5c 1ee5e 1ee60 1ee63 ' +
    '1ee65-1ee66 1ee6b 1ee73 1ee78 1ee7d 1ee7f 1ee8a 1ee9c-1eea0 1eea4 1eeaa 1eebc-1f0ff 1f10d-1f10f 1f12f ' +
    '1f16c-1f16f 1f1ad-1f1e5 1f203-1f20f 1f23c-1f23f 1f249-1f24f 1f252-1fffd 2a6d7-2f7ff 2fa1e-efffd',
);

/** Characters that `StripAccents` removes: the marks of Unicode 9.0. */
export const MARKS: RegExp = characterClass(
  '300-36f 483-489 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 610-61a 64b-65f 670 6d6-6dc 6df-6e4 6e7-6e8 6ea-6ed 711 ' +
    '730-74a 7a6-7b0 7eb-7f3 816-819 81b-823 825-827 829-82d 859-85b 8d4-8e1 8e3-903 93a-93c 93e-94f 951-957 ' +
    '962-963 981-983 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 9e2-9e3 a01-a03 a3c a3e-a42 a47-a48 a4b-a4d a51 a70-a71 ' +
    'a75 a81-a83 abc abe-ac5 ac7-ac9 acb-acd ae2-ae3 b01-b03 b3c b3e-b44 b47-b48 b4b-b4d b56-b57 b62-b63 b82 ' +
    'bbe-bc2 bc6-bc8 bca-bcd bd7 c00-c03 c3e-c44 c46-c48 c4a-c4d c55-c56 c62-c63 c81-c83 cbc cbe-cc4 cc6-cc8 ' +
    'cca-ccd cd5-cd6 ce2-ce3 d01-d03 d3e-d44 d46-d48 d4a-d4d d57 d62-d63 d82-d83 dca dcf-dd4 dd6 dd8-ddf ' +
    'df2-df3 e31 e34-e3a e47-e4e eb1 eb4-eb9 ebb-ebc ec8-ecd f18-f19 f35 f37 f39 f3e-f3f f71-f84 f86-f87 ' +
    'f8d-f97 f99-fbc fc6 102b-103e 1056-1059 105e-1060 1062-1064 1067-106d 1071-1074 1082-108d 108f 109a-109d ' +
    '135d-135f 1712-1714 1732-1734 1752-1753 1772-1773 17b4-17d3 17dd 180b-180d 1885-1886 18a9 1920-192b ' +
    '1930-193b 1a17-1a1b 1a55-1a5e 1a60-1a7c 1a7f 1ab0-1abe 1b00-1b04 1b34-1b44 1b6b-1b73 1b80-1b82 1ba1-1bad ' +
    '1be6-1bf3 1c24-1c37 1cd0-1cd2 1cd4-1ce8 1ced 1cf2-1cf4 1cf8-1cf9 1dc0-1df5 1dfb-1dff 20d0-20f0 2cef-2cf1 ' +
    '2d7f 2de0-2dff 302a-302f 3099-309a a66f-a672 a674-a67d a69e-a69f a6f0-a6f1 a802 a806 a80b a823-a827 ' +
    'a880-a881 a8b4-a8c5 a8e0-a8f1 a926-a92d a947-a953 a980-a983 a9b3-a9c0 a9e5 aa29-aa36 aa43 aa4c-aa4d ' +
    'aa7b-aa7d aab0 aab2-aab4 aab7-aab8 aabe-aabf aac1 aaeb-aaef aaf5-aaf6 abe3-abea abec-abed fb1e fe00-fe0f ' +
    'fe20-fe2f 101fd 102e0 10376-1037a 10a01-10a03 10a05-10a06 10a0c-10a0f 10a38-10a3a 10a3f 10ae5-10ae6 ' +
    '11000-11002 11038-11046 1107f-11082 110b0-110ba 11100-11102 11127-11134 11173 11180-11182 111b3-111c0 ' +
    '111ca-111cc 1122c-11237 1123e 112df-112ea 11300-11303 1133c 1133e-11344 11347-11348 1134b-1134d 11357 ' +
    '11362-11363 11366-1136c 11370-11374 11435-11446 114b0-114c3 115af-115b5 115b8-115c0 115dc-115dd ' +
    '11630-11640 116ab-116b7 1171d-1172b 11c2f-11c36 11c38-11c3f 11c92-11ca7 11ca9-11cb6 16af0-16af4 ' +
    '16b30-16b36 16f51-16f7e 16f8f-16f92 1bc9d-1bc9e 1d165-1d169 1d16d-1d172 1d17b-1d182 1d185-1d18b ' +
    '1d1aa-1d1ad 1d242-1d244 1da00-1da36 1da3b-1da6c 1da75 1da84 1da9b-1da9f 1daa1-1daaf 1e000-1e006 ' +
    '1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a 1e8d0-1e8d6 1e944-1e94a e0100-e01ef',
);

/** Names of normal forms. */
export type NormalForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** Converts a text to a normal form of Unicode 9.0. */
export function normalForm(text: string, form: NormalForm): string {
  let result = '';
  let end = 0;
  for (const { 0: newer, index } of text.matchAll(NEWER)) {
    result += text.slice(end, index).normalize(form) + newer;
    end = index + newer.length;
  }
  return result + text.slice(end).normalize(form);
}
