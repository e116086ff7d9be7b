# The sequential data of the Mayo Clinic trial in primary biliary cholangitis, from R's package survival, as the files of a
# study, and what coxph says of them (vignette "Using time dependent covariates", Therneau, Crowson & Atkinson).
# Usage: Rscript pbcseq.R FOLDER ; writes clinical.csv, visits.csv and answers.csv.
suppressPackageStartupMessages(library(survival))
folder <- commandArgs(trailingOnly = TRUE)[1]
first <- subset(pbc, id <= 312, select = c(id:sex, stage))
clinical <- data.frame(id = first$id, age = first$age, sex = first$sex, days = first$time, died = 1 * (first$status == 2))
visits <- pbcseq[, c("id", "day", "bili", "protime", "albumin")]
wide <- tmerge(first, first, id = id, death = event(time, status))
wide <- tmerge(wide, pbcseq, id = id, bili = tdc(day, bili), protime = tdc(day, protime))
one <- coxph(Surv(time, status == 2) ~ log(bili) + log(protime), pbc)
two <- coxph(Surv(tstart, tstop, death == 2) ~ log(bili) + log(protime), wide)
answers <- data.frame(term = c("bili", "protime"), baseline = coef(one), timed = coef(two), error = sqrt(diag(two$var)))
write.csv(clinical, file.path(folder, "clinical.csv"), row.names = FALSE, quote = FALSE)
write.csv(visits, file.path(folder, "visits.csv"), row.names = FALSE, quote = FALSE, na = "")
write.csv(answers, file.path(folder, "answers.csv"), row.names = FALSE, quote = FALSE)
