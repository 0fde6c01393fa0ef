using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class LossTests
{
    [Fact]
    public void NegativeLogLikelihood_IgnoredTargetAndWeights_DividesByTheWeightsThatTookPart()
    {
        Tensor x = Tensor.From<float>([-1, -2, -3, -4, -5, -6], [3, 2]), target = Tensor.From<long>([0, 9, 1]), weight = Tensor.From(2f, 3f);
        Tensor loss = OperatorRun.One("NegativeLogLikelihoodLoss", new Attributes { { "ignore_index", 9 } }, x, target, weight);
        Assert.Equal((2 * 1 + 3 * 6) / 5f, loss.Item<float>());
    }

    [Fact]
    public void SoftmaxCrossEntropy_TargetBeyondTheClasses_NamesIt()
    {
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("SoftmaxCrossEntropyLoss", OperatorRun.Random([2, 3], seed: 1), Tensor.From<long>([0, 3]))).Message;
        Assert.Equal("SoftmaxCrossEntropyLoss 'SoftmaxCrossEntropyLoss': target 1 is class 3, expected 0 to 2", message);
    }

    [Fact]
    public void Dropout_SameSeed_DropsTheSameElements()
    {
        Tensor x = OperatorRun.Random([1000], seed: 1, min: 1, max: 2), ratio = Tensor.Scalar(0.25f), training = Tensor.Scalar(true);
        Tensor[] one = OperatorRun.All("Dropout", new Attributes { { "seed", 5 } }, 2, x, ratio, training), two = OperatorRun.All("Dropout", new Attributes { { "seed", 5 } }, 2, x, ratio, training);
        Assert.Equal(one[1].Bytes.ToArray(), two[1].Bytes.ToArray());
        int kept = one[1].Span<bool>().Count(true);
        Assert.InRange(kept, 700, 800);
        for (int i = 0; i < 1000; i++) Assert.Equal(one[1].Span<bool>()[i] ? x.Span<float>()[i] / 0.75f : 0, one[0].Span<float>()[i], 1e-6f);
        Assert.NotEqual(one[1].Bytes.ToArray(), OperatorRun.All("Dropout", new Attributes { { "seed", 6 } }, 2, x, ratio, training)[1].Bytes.ToArray());
    }
}
