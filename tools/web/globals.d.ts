// What a worker has beyond a page, and what rt/litert.js defines.
declare function importScripts(...urls: string[]): void;
declare const LiteRT: any;
