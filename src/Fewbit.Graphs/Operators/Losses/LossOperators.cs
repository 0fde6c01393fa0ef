using Fewbit.Graphs.Operators.Losses;

namespace Fewbit.Graphs.Operators;

/// <summary>What training minimizes.</summary>
internal static class LossOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("NegativeLogLikelihoodLoss", node => ClassificationLoss.Parse(node, takesScores: false));
        registry.Add("SoftmaxCrossEntropyLoss", node => ClassificationLoss.Parse(node, takesScores: true));
        registry.Add("ClassificationLossGradient", ClassificationLossGradient.Parse, OperatorTable.FewbitDomain);
    }
}
