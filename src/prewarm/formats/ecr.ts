/**
 * The hosts that get the node's password for Amazon ECR, as an extended regular expression that bash takes: AWS's own
 * and nothing that merely begins like one, because any user of the cluster may name an image. Its second group is the
 * region. Source: Amazon ECR, private registries; AWS China ends with .cn.
 */
export const ECR_HOST = String.raw`^[0-9]{12}\.dkr\.(ecr|ecr-fips)\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`;
