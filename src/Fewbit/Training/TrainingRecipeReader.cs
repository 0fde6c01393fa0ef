using Fewbit.Data.Text;
using Fewbit.Data.Training;
using Fewbit.Recipes;

namespace Fewbit.Training;

/// <summary>The keys of a recipe's section "training".</summary>
internal static class TrainingRecipeReader
{
    public static TrainingRecipe Read(RecipeMap map)
    {
        var recipe = new TrainingRecipe();
        return recipe with
        {
            Model = map.Text("model"),
            Weights = map.Text("weights"),
            Classes = map.Integer("classes"),
            InputSize = map.Integer("input-size"),
            Data = map.Text("data"),
            Validation = map.Text("validation"),
            ValidationShare = map.Number("validation-share") ?? 0,
            Preprocess = map.Text("preprocess"),
            Labels = map.Text("labels"),
            LabelPattern = map.Text("label-pattern"),
            LabelKey = map.Text("label-key"),
            Tokens = map.Choice("tokens", "characters", "words") == "words" ? VocabularyKind.Words : VocabularyKind.Characters,
            Vocabulary = map.Text("vocabulary"),
            Batch = map.Integer("batch") ?? recipe.Batch,
            DropsLast = map.Flag("drop-last") ?? false,
            Seed = map.Integer("seed") ?? 0,
            Augment = map.Map("augment")?.Read(Augmentation) ?? AugmentationOptions.None,
            Options = Options(map),
        };
    }

    private static TrainingOptions Options(RecipeMap map)
    {
        var options = new TrainingOptions();
        return options with
        {
            Epochs = map.Integer("epochs") ?? options.Epochs,
            StepsPerEpoch = map.Integer("steps-per-epoch"),
            Optimizer = map.Map("optimizer")?.Read(Optimizer) ?? options.Optimizer,
            Schedule = map.Map("schedule")?.Read(Schedule) ?? options.Schedule,
            Groups = [.. map.Maps("groups").Select(group => group.Read(Group))],
            Loss = map.Map("loss")?.Read(Loss) ?? options.Loss,
            ClipNorm = map.Number("clip-norm"),
            ClipValue = map.Number("clip-value"),
            AverageDecay = map.Number("average-decay"),
            FreezesBatchNorm = map.Flag("freeze-batch-norm") ?? false,
            RecomputesActivations = map.Flag("recompute-activations") ?? false,
            DetectsAnomalies = map.Flag("detect-anomalies") ?? false,
            KeepsBest = map.Choice("keep", "last", "best") == "best",
        };
    }

    private static OptimizerOptions Optimizer(RecipeMap map)
    {
        OptimizerOptions optimizer = map.Choice("name", "sgd", "adam", "adamw", "rmsprop") switch
        {
            "adam" => Adam(map, new Adam()),
            "adamw" => Adam(map, new AdamW()),
            "rmsprop" => RmsProp(map),
            _ => Sgd(map),
        };
        return optimizer with { LearningRate = map.Number("learning-rate") ?? optimizer.LearningRate, WeightDecay = map.Number("weight-decay") ?? optimizer.WeightDecay };
    }

    private static Sgd Sgd(RecipeMap map) => new() { Momentum = map.Number("momentum") ?? 0.9, IsNesterov = map.Flag("nesterov") ?? false };

    private static Adam Adam(RecipeMap map, Adam adam) =>
        adam with { Beta1 = map.Number("beta1") ?? adam.Beta1, Beta2 = map.Number("beta2") ?? adam.Beta2, Epsilon = map.Number("epsilon") ?? adam.Epsilon };

    private static RmsProp RmsProp(RecipeMap map)
    {
        var optimizer = new RmsProp();
        return optimizer with { Alpha = map.Number("alpha") ?? optimizer.Alpha, Momentum = map.Number("momentum") ?? 0, Epsilon = map.Number("epsilon") ?? optimizer.Epsilon };
    }

    private static LearningRateSchedule Schedule(RecipeMap map)
    {
        LearningRateSchedule schedule = map.Choice("name", "constant", "step", "multi-step", "cosine", "linear", "one-cycle", "plateau") switch
        {
            "step" => new StepSchedule { Every = map.Integer("every") ?? 30, Gamma = map.Number("gamma") ?? 0.1 },
            "multi-step" => new MultiStepSchedule { Milestones = map.Integers("milestones") ?? throw map.Fail("states no milestones, such as [30, 60]"), Gamma = map.Number("gamma") ?? 0.1 },
            "cosine" => new CosineSchedule { End = map.Number("end") ?? 0 },
            "linear" => new LinearSchedule { End = map.Number("end") ?? 0 },
            "one-cycle" => new OneCycleSchedule { Rise = map.Number("rise") ?? 0.3, StartDivisor = map.Number("start-divisor") ?? 25, EndDivisor = map.Number("end-divisor") ?? 1e4 },
            "plateau" => Plateau(map),
            _ => new ConstantSchedule(),
        };
        return schedule with
        {
            Unit = map.Choice("unit", "step", "epoch") is { } unit ? unit == "epoch" ? ScheduleUnit.Epoch : ScheduleUnit.Step : schedule.Unit,
            WarmUpSteps = map.Integer("warm-up-steps") ?? 0,
            WarmUpStart = map.Number("warm-up-start") ?? schedule.WarmUpStart,
        };
    }

    private static PlateauSchedule Plateau(RecipeMap map)
    {
        var schedule = new PlateauSchedule();
        return schedule with
        {
            Gamma = map.Number("gamma") ?? schedule.Gamma,
            Patience = map.Integer("patience") ?? schedule.Patience,
            Threshold = map.Number("threshold") ?? schedule.Threshold,
            Cooldown = map.Integer("cooldown") ?? 0,
            End = map.Number("end") ?? 0,
        };
    }

    private static ParameterGroup Group(RecipeMap map)
    {
        var group = new ParameterGroup();
        return group with
        {
            Names = map.Text("names") ?? group.Names,
            IsVectorsOnly = map.Flag("vectors-only") ?? false,
            LearningRateFactor = map.Number("learning-rate-factor") ?? 1,
            WeightDecay = map.Number("weight-decay"),
            IsFrozen = map.Flag("frozen") ?? false,
        };
    }

    private static LossOptions Loss(RecipeMap map) => new()
    {
        Kind = map.Choice("name", "cross-entropy", "focal", "kl", "mse", "l1", "huber", "pinball") switch
        {
            "mse" => LossKind.MeanSquared,
            "l1" => LossKind.MeanAbsolute,
            "huber" => LossKind.Huber,
            "focal" => LossKind.Focal,
            "pinball" => LossKind.Quantile,
            "kl" => LossKind.KullbackLeibler,
            _ => LossKind.CrossEntropy,
        },
        LabelSmoothing = map.Number("label-smoothing") ?? 0,
        HuberWidth = map.Number("huber-width") ?? 1,
        FocalGamma = map.Number("focal-gamma") ?? 2,
        Quantile = map.Number("quantile") ?? 0.5,
    };

    private static AugmentationOptions Augmentation(RecipeMap map)
    {
        AugmentationOptions preset = map.Choice("name", "none", "cifar") == "cifar" ? AugmentationOptions.Cifar : AugmentationOptions.None;
        return preset with
        {
            CropPadding = map.Integer("crop-padding") ?? preset.CropPadding,
            CropFill = map.Choice("crop-fill", "mean", "black") is { } fill ? fill == "black" ? CropFill.Black : CropFill.Mean : preset.CropFill,
            Flip = map.Flag("flip") ?? preset.Flip,
            CutoutSide = map.Integer("cutout-side") ?? preset.CutoutSide,
            MixupAlpha = map.Number("mixup-alpha") ?? preset.MixupAlpha,
        };
    }
}
