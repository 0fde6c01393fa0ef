namespace Fewbit.Graphs.Operators;

/// <summary>Operators that only learning needs: fake quantization and optimizer steps.</summary>
internal static class LearningOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("FakeQuantize", FakeQuantize.Parse, OperatorTable.FewbitDomain);
        registry.Add("FakeQuantizeGradient", FakeQuantizeGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("DropQuantize", DropQuantize.Parse, OperatorTable.FewbitDomain);
        registry.Add("DropQuantizeGradient", DropQuantizeGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("LevelQuantize", LevelQuantize.Parse, OperatorTable.FewbitDomain);
        registry.Add("LevelQuantizeGradient", LevelQuantizeGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("SoftBetween", _ => new SoftBetween(), OperatorTable.FewbitDomain);
        registry.Add("SoftBetweenGradient", _ => new SoftBetweenGradient(), OperatorTable.FewbitDomain);
        registry.Add("SoftRoundedWeight", SoftRoundedWeight.Parse, OperatorTable.FewbitDomain);
        registry.Add("SoftRoundedWeightGradient", SoftRoundedWeightGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("RoundingRegularizer", _ => new RoundingRegularizer(), OperatorTable.FewbitDomain);
        registry.Add("RoundingRegularizerGradient", _ => new RoundingRegularizerGradient(), OperatorTable.FewbitDomain);
        registry.Add("PowerLoss", PowerLoss.Parse, OperatorTable.FewbitDomain);
        registry.Add("PowerLossGradient", PowerLossGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("CustomGradient", CustomGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("StopGradient", _ => new StopGradient(), OperatorTable.FewbitDomain);
        registry.Add("ScaleGradient", _ => new ScaleGradient(), OperatorTable.FewbitDomain);
        registry.Add("AdamUpdate", AdamUpdate.Parse, OperatorTable.FewbitDomain);
        registry.Add("RmsPropUpdate", RmsPropUpdate.Parse, OperatorTable.FewbitDomain);
        registry.Add("SgdUpdate", SgdUpdate.Parse, OperatorTable.FewbitDomain);
    }
}
