using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <content>Losses of class scores and probabilities.</content>
public static partial class Losses
{
    /// <summary>-log softmax(scores)[class]; with smoothing every class gets an equal share of the target.</summary>
    /// <param name="scores">[N, C, ...].</param>
    /// <param name="classes">[N, ...], int64 or int32.</param>
    /// <param name="reduction">The mean is over the classes that are not ignored.</param>
    /// <param name="labelSmoothing">Share of the target that is spread over all classes, 0 up to, without, 1.</param>
    /// <param name="ignoredClass">A class whose terms are 0; null for none.</param>
    /// <remarks>Smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2015, arXiv:1512.00567.</remarks>
    public static Value CrossEntropy(Value scores, Value classes, LossReduction reduction = LossReduction.Mean, double labelSmoothing = 0, long? ignoredClass = null)
    {
        ExpectShare(labelSmoothing, nameof(labelSmoothing));
        if (labelSmoothing == 0) return scores.Apply("SoftmaxCrossEntropyLoss", Attributes(reduction, ignoredClass), classes);
        // Its second output holds the logarithms of the probabilities.
        Node node = scores.Graph.AddNode("SoftmaxCrossEntropyLoss", [scores, classes], Attributes(LossReduction.None, ignoredClass), outputs: 2);
        Value own = node.Outputs[0], all = -node.Outputs[1].Apply("ReduceMean", new Attributes { { "keepdims", 0 } }, scores.Integers("axes", 1));
        Value terms = own * own.Scalar(1 - labelSmoothing) + all * all.Scalar(labelSmoothing);
        if (ignoredClass is null) return Reduce(terms, reduction);
        Value isIgnored = classes.Apply("Equal", classes.Graph.AddConstant("ignored", Tensor.Scalar(ignoredClass.Value)).Apply("CastLike", classes));
        terms = isIgnored.Apply("Where", terms.Scalar(0), terms);
        if (reduction != LossReduction.Mean) return Reduce(terms, reduction);
        Value counted = isIgnored.Apply("Not").Apply("CastLike", terms);
        return Reduce(terms, LossReduction.Sum) / Reduce(counted, LossReduction.Sum);
    }

    /// <summary>-sum over classes of probability · log softmax(scores).</summary>
    /// <param name="scores">[N, C, ...].</param>
    /// <param name="probabilities">Of the same shape, summing to 1 over dimension 1: soft labels, or those of mixed pictures.</param>
    /// <param name="reduction">What becomes of the terms [N, ...].</param>
    /// <param name="labelSmoothing">Share of the target that is spread over all classes, 0 up to, without, 1.</param>
    public static Value SoftCrossEntropy(Value scores, Value probabilities, LossReduction reduction = LossReduction.Mean, double labelSmoothing = 0)
    {
        ExpectShare(labelSmoothing, nameof(labelSmoothing));
        Value logarithms = LogSoftmax(scores), terms = SumOfClasses(logarithms * probabilities) * scores.Scalar(labelSmoothing - 1);
        if (labelSmoothing > 0) terms -= logarithms.Apply("ReduceMean", new Attributes { { "keepdims", 0 } }, scores.Integers("axes", 1)) * scores.Scalar(labelSmoothing);
        return Reduce(terms, reduction);
    }

    /// <summary>The divergence sum over classes of p · (log p - log q): what it costs to take q for p. A probability of 0 adds nothing.</summary>
    /// <param name="logarithms">log q, [N, C, ...], as LogSoftmax over dimension 1 gives.</param>
    /// <param name="probabilities">p, of the same shape.</param>
    /// <param name="reduction">What becomes of the terms [N, ...].</param>
    public static Value KullbackLeibler(Value logarithms, Value probabilities, LossReduction reduction = LossReduction.Mean)
    {
        Value isThere = probabilities.Apply("Greater", probabilities.Scalar(0)), entropy = isThere.Apply("Where", probabilities, probabilities.Scalar(1)).Apply("Log");
        return Reduce(SumOfClasses(probabilities * (entropy - logarithms)), reduction);
    }

    /// <summary>The divergence of a student's softmax from a teacher's, both at a temperature, times its square, so that gradients keep their size.</summary>
    /// <param name="scores">Of the student, [N, C, ...].</param>
    /// <param name="teacherScores">Of the same shape; they learn nothing.</param>
    /// <param name="temperature">Above 0; scores are divided by it.</param>
    /// <param name="reduction">What becomes of the terms [N, ...].</param>
    /// <remarks>Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531.</remarks>
    public static Value Distillation(Value scores, Value teacherScores, double temperature = 1, LossReduction reduction = LossReduction.Mean)
    {
        ExpectPositive(temperature, nameof(temperature));
        Value Cooled(Value value) => value * value.Scalar(1 / temperature);
        Value probabilities = Cooled(teacherScores.StopGradient()).Softmax(1), loss = KullbackLeibler(LogSoftmax(Cooled(scores)), probabilities, reduction);
        return loss * loss.Scalar(temperature * temperature);
    }

    /// <summary>-t · log σ(x) - (1 - t) · log(1 - σ(x)), without overflow for any score.</summary>
    /// <param name="scores">x, before the sigmoid.</param>
    /// <param name="targets">t in [0, 1], of the same shape.</param>
    /// <param name="reduction">What becomes of the terms.</param>
    public static Value BinaryCrossEntropy(Value scores, Value targets, LossReduction reduction = LossReduction.Mean) => Reduce(BinaryTerms(scores, targets), reduction);

    /// <summary>Cross-entropy with less weight on what is classified well: -(1 - p)^γ · log p, p the softmax probability of the right class.</summary>
    /// <param name="scores">[N, C, ...].</param>
    /// <param name="classes">[N, ...], int64 or int32.</param>
    /// <param name="gamma">γ, 0 or more; 0 is <see cref="CrossEntropy"/>.</param>
    /// <param name="reduction">What becomes of the terms [N, ...].</param>
    /// <remarks>Lin et al., "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002.</remarks>
    public static Value Focal(Value scores, Value classes, double gamma = 2, LossReduction reduction = LossReduction.Mean)
    {
        Value entropy = CrossEntropy(scores, classes, gamma == 0 ? reduction : LossReduction.None);
        return gamma == 0 ? entropy : Reduce(entropy * Focus(1f - (-entropy).Apply("Exp"), gamma), reduction);
    }

    /// <summary>The focal loss of independent yes-no scores: α · (1 - p)^γ · -log p for targets of 1, (1 - α) · p^γ · -log(1 - p) for targets of 0, p = σ(x).</summary>
    /// <param name="scores">x, before the sigmoid.</param>
    /// <param name="targets">0 or 1, of the same shape.</param>
    /// <param name="gamma">γ, 0 or more.</param>
    /// <param name="alpha">α in [0, 1]; null for no weights.</param>
    /// <param name="reduction">What becomes of the terms.</param>
    /// <remarks>Lin et al., "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002.</remarks>
    public static Value BinaryFocal(Value scores, Value targets, double gamma = 2, double? alpha = 0.25, LossReduction reduction = LossReduction.Mean)
    {
        Value p = scores.Apply("Sigmoid"), wrong = p + targets - p * targets * 2f, terms = BinaryTerms(scores, targets) * Focus(wrong, gamma);
        if (alpha is { } share) terms *= targets * targets.Scalar(2 * share - 1) + targets.Scalar(1 - share);
        return Reduce(terms, reduction);
    }

    private static Value BinaryTerms(Value scores, Value targets) => scores.Apply("Softplus") - scores * targets;

    private static Value Focus(Value wrong, double gamma)
    {
        if (!(gamma >= 0)) throw new ArgumentOutOfRangeException(nameof(gamma), gamma, "must be 0 or more");
        return gamma == 2 ? wrong * wrong : Power(wrong, gamma);
    }

    private static Value LogSoftmax(Value scores) => scores.Apply("LogSoftmax", new Attributes { { "axis", 1 } });

    private static Value SumOfClasses(Value value) => value.Apply("ReduceSum", new Attributes { { "keepdims", 0 } }, value.Integers("axes", 1));

    private static Attributes Attributes(LossReduction reduction, long? ignoredClass)
    {
        var attributes = new Attributes { { "reduction", reduction switch { LossReduction.None => "none", LossReduction.Sum => "sum", _ => "mean" } } };
        if (ignoredClass is { } ignored) attributes.Add("ignore_index", ignored);
        return attributes;
    }

    private static void ExpectShare(double share, string name)
    {
        if (share is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(name, share, "must be 0 or more and less than 1");
    }
}
