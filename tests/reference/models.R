# Answers for tests/stats/test_models_reference.py: Rscript models.R FOLDER
# FOLDER/table.csv: columns t, e, a, b, c, k (class 0 to 3), j (last of the intervals at risk); FOLDER/ends.txt.
suppressMessages({library(survival); library(MASS); library(glmnet)})
folder <- commandArgs(TRUE)[1]
d <- read.csv(file.path(folder, "table.csv"))
answers <- list()
say <- function(key, value) answers[[key]] <<- as.numeric(value)
for (m in c("weibull", "lognormal", "loglogistic")) {
  f <- survreg(Surv(t, e) ~ a + b + c, d, dist = m, control = list(rel.tolerance = 1e-13, maxiter = 200))
  say(paste0(m, ".coefficient"), coef(f))
  say(paste0(m, ".scale"), f$scale)
  say(paste0(m, ".error"), sqrt(diag(vcov(f))))
  say(paste0(m, ".loglik"), f$loglik)
  at <- predict(f, type = "lp")
  z <- (log(5) - at) / f$scale
  say(paste0(m, ".survival"), switch(m, weibull = exp(-exp(z)), lognormal = pnorm(-z), loglogistic = plogis(-z)))
}
f <- polr(factor(k) ~ a + b + c, d, Hess = TRUE, control = list(reltol = 1e-15, maxit = 1000))
say("ordinal.coefficient", coef(f))
say("ordinal.threshold", f$zeta)
say("ordinal.loglik", logLik(f))
X <- scale(as.matrix(d[, c("a", "b", "c")])) * sqrt(nrow(d) / (nrow(d) - 1))
g <- glmnet(X, factor(d$k), family = "multinomial", alpha = 0, lambda = 0.05, standardize = FALSE, thresh = 1e-15)
say("multinomial", sapply(coef(g), as.matrix))
ends <- scan(file.path(folder, "ends.txt"), quiet = TRUE)
long <- do.call(rbind, lapply(seq_len(nrow(d)), function(i) {
  j <- which(ends <= d$t[i] | (d$e[i] == 1 & c(0, head(ends, -1)) < d$t[i] & d$t[i] <= ends))
  if (length(j)) cbind(d[i, c("a", "b", "c")], j = j, y = as.numeric(d$e[i] == 1 & d$t[i] <= ends[j]))
}))
f <- glm(y ~ 0 + factor(j) + a + b + c, binomial, long, control = list(epsilon = 1e-15, maxit = 100))
say("discrete.coefficient", coef(f))
say("discrete.error", sqrt(diag(vcov(f))))
say("discrete.loglik", logLik(f))
rows <- do.call(rbind, lapply(names(answers), function(k) data.frame(key = k, value = sprintf("%.17g", answers[[k]]))))
write.csv(rows, file.path(folder, "answers.csv"), row.names = FALSE)
