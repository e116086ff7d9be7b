"""A study gives the same numbers whichever format its genotypes come in."""

import numpy as np
import pytest

from flow.small_study import GENETICS, SmallStudy
from radiolocus.app.check import check_study
from radiolocus.config import load_study
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.store import read_json, read_table

HEAD = '##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=2>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="G">\n'
COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT")


@pytest.mark.slow
def test_vcf_and_bed_give_the_same_scan(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=12)
    plain = study.text
    study.text = plain + GENETICS + "keep = { p_value = 1.0 }\n"
    bed = PlinkSource(study.root / "geno")
    block = bed.read(np.arange(12), 0, 100)
    lines = ["\t".join([*COLUMNS, *bed.sample_ids])]
    for i, counts in enumerate(block.dosage.astype(int)):
        site = (block.chromosome[i], str(block.position[i]), block.variant_id[i], "G", "A", ".", ".", ".", "GT")
        lines.append("\t".join([*site, *(("0/0", "0|1", "1/1")[c] for c in counts)]))
    (study.root / "geno.vcf").write_text(HEAD + "\n".join(lines) + "\n")
    first = study.run("bed").root
    study.text = plain + GENETICS.replace('plink = "geno"', 'genotypes = "geno.vcf"') + "keep = { p_value = 1.0 }\n"
    assert not check_study(load_study(study.file())).mistakes
    second = study.run("vcf", jobs=2).root
    for name in ("sumstats/by_phenotype/part", "sumstats/summary", "sumstats/variants", "genome/samples"):
        assert read_table(first, name).equals(read_table(second, name)), name
    assert "geno.vcf" in str(read_json(second, "sumstats/manifest.json"))


def test_a_file_a_chromosome_gives_the_same_scan(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=12)
    plain = study.text
    study.text = plain + GENETICS + "keep = { p_value = 1.0 }\n"
    bed = PlinkSource(study.root / "geno")
    dosage = bed.read(np.arange(12), 0, bed.variants.height).dosage
    for name in bed.variants["chromosome"].unique():
        here = (bed.variants["chromosome"] == name).to_numpy()
        order = np.arange(12)[::-1]
        people = [bed.sample_ids[i] for i in order]
        write_plink(study.root / f"geno{name}", dosage[here][:, order], bed.variants.filter(here), people)
    first = study.run("one").root
    study.text = plain + GENETICS.replace('plink = "geno"', 'genotypes = "geno@.bed"') + "keep = { p_value = 1.0 }\n"
    assert not check_study(load_study(study.file())).mistakes
    second = study.run("many").root
    for name in ("sumstats/by_phenotype/part", "sumstats/summary", "sumstats/variants", "genome/samples"):
        assert read_table(first, name).equals(read_table(second, name)), name
    assert "geno2.bed" in str(read_json(second, "sumstats/manifest.json"))
