export { type FollowOptions, followPolicyFile, readPolicyFile } from './policy-file.ts'
